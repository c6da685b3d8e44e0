import {
  create,
  createRegistry,
  type DescFile,
  type DescService,
  toBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { status as Status } from "@grpc/grpc-js";
import type { Grpc } from "@/ports/grpc.ts";
import {
  ErrorResponseSchema,
  FileDescriptorResponseSchema,
  ListServiceResponseSchema,
  ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from "@/proto/reflection_pb.ts";

type Answer = ServerReflectionResponse["messageResponse"];

/** Serves grpc.reflection.v1 from the descriptors inside the generated code: no .proto is read. */
export function serveReflection(grpc: Grpc, services: () => readonly DescService[]): void {
  grpc.serve(
    ServerReflection,
    "anyone",
    {
      async serverReflectionInfo(request) {
        return create(ServerReflectionResponseSchema, {
          validHost: request.host,
          originalRequest: request,
          messageResponse: answerTo(request.messageRequest, services()),
        });
      },
    },
    "read",
  );
}

function answerTo(
  request: ServerReflectionRequest["messageRequest"],
  services: readonly DescService[],
): Answer {
  switch (request.case) {
    case "listServices":
      return { case: "listServicesResponse", value: listOf(services) };
    case "fileByFilename":
      return fileAnswer(filesOf(services).find((file) => file.proto.name === request.value));
    case "fileContainingSymbol":
      return fileAnswer(fileWith(request.value, services));
    case "fileContainingExtension":
    case "allExtensionNumbersOfType":
      return failure(Status.NOT_FOUND, "There are no extensions here.");
    default:
      return failure(Status.INVALID_ARGUMENT, "The request asks for nothing.");
  }
}

function listOf(services: readonly DescService[]) {
  const names = services.map(({ typeName }) => typeName).toSorted();
  return create(ListServiceResponseSchema, { service: names.map((name) => ({ name })) });
}

/** The files of some services and, after each, those it imports. */
function filesOf(services: readonly DescService[]): DescFile[] {
  const found = new Set<DescFile>();
  const visit = (file: DescFile): void => {
    if (found.has(file)) return;
    found.add(file);
    file.dependencies.forEach(visit);
  };
  for (const service of services) visit(service.file);
  return [...found];
}

/** The file of a service, message, enum, or of a method or field `<type>.<name>`. */
function fileWith(symbol: string, services: readonly DescService[]): DescFile | undefined {
  const registry = createRegistry(...filesOf(services));
  const owner = symbol.slice(0, symbol.lastIndexOf("."));
  return (registry.get(symbol) ?? registry.get(owner))?.file;
}

function fileAnswer(file: DescFile | undefined): Answer {
  if (!file) return failure(Status.NOT_FOUND, "This pool has no such file or symbol.");
  const fileDescriptorProto = [file, ...file.dependencies].map(({ proto }) =>
    toBinary(FileDescriptorProtoSchema, proto),
  );
  const value = create(FileDescriptorResponseSchema, { fileDescriptorProto });
  return { case: "fileDescriptorResponse", value };
}

function failure(errorCode: number, errorMessage: string): Answer {
  const value = create(ErrorResponseSchema, { errorCode, errorMessage });
  return { case: "errorResponse", value };
}

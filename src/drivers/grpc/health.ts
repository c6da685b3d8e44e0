import { create } from "@bufbuild/protobuf";
import type { Grpc } from "@/ports/grpc.ts";
import {
  Health,
  HealthCheckResponseSchema,
  HealthListResponseSchema,
  HealthCheckResponse_ServingStatus as Serving,
} from "@/proto/health_pb.ts";
import { PoolError } from "@/std/errors.ts";

/**
 * Serves grpc.health.v1.Health. Who is answered at all is answered by a pool that serves: nothing
 * listens before every module has started, and a stop ends the streams that watch.
 */
export function serveHealth(grpc: Grpc, services: () => readonly string[]): void {
  const statusOf = (service: string) =>
    service === "" || services().includes(service) ? Serving.SERVING : Serving.SERVICE_UNKNOWN;
  const answer = (status: Serving) => create(HealthCheckResponseSchema, { status });
  grpc.serve(
    Health,
    "anyone",
    {
      async check({ service }) {
        const status = statusOf(service);
        if (status === Serving.SERVING) return answer(status);
        const message = `This pool serves no "${service}"; list the services by reflection.`;
        throw new PoolError("not_found", "service.unknown", message);
      },
      async list() {
        const names = ["", ...services()];
        const statuses = Object.fromEntries(names.map((name) => [name, answer(Serving.SERVING)]));
        return create(HealthListResponseSchema, { statuses });
      },
      async *watch({ service }, { signal }) {
        yield answer(statusOf(service));
        await new Promise<void>((resolve) => {
          if (signal.aborted) return resolve();
          signal.addEventListener("abort", () => resolve(), { once: true });
        });
      },
    },
    "probe",
  );
}

#!/bin/sh
# Makes src/proto/*_pb.ts from src/proto/*.proto (needs Debian's protobuf-compiler).
# Their types are used, not checked: protobuf enums are TypeScript enums, which we do not write.
# With an argument, writes there instead, so that a test can compare.
set -eu
cd "$(dirname "$0")/.."
out=${1:-src/proto}
protoc -I src/proto --plugin=protoc-gen-es=node_modules/.bin/protoc-gen-es \
  --es_out="$out" --es_opt=target=ts,import_extension=ts,ts_nocheck=true src/proto/*.proto

import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** The two requests of etcd's Lease service (rpc.proto of etcd 3.4) that the bench sends. */

export const LEASE_GRANT_PATH = "/etcdserverpb.Lease/LeaseGrant";
export const LEASE_KEEP_ALIVE_PATH = "/etcdserverpb.Lease/LeaseKeepAlive";

const LIFE_SECONDS = 3_600n;

/** LeaseGrantRequest { int64 TTL = 1; int64 ID = 2; } */
export function grantRequest(id: bigint): Buffer {
  const writer = new BinaryWriter().tag(1, WireType.Varint).int64(LIFE_SECONDS);
  return Buffer.from(writer.tag(2, WireType.Varint).int64(id).finish());
}

/** LeaseKeepAliveRequest { int64 ID = 1; } */
export function keepAliveRequest(id: bigint): Buffer {
  return Buffer.from(new BinaryWriter().tag(1, WireType.Varint).int64(id).finish());
}

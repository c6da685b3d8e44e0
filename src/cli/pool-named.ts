import type { Client } from "./client.ts";

const POOL_ID = /^[a-z2-7]{26}$/;

/** The id of the pool a person means: as it stands, or of the pool of that name; else the word itself. */
export async function poolIdOf(client: Client, said: string): Promise<string> {
  if (POOL_ID.test(said)) return said;
  for await (const pool of client.items<{ pool_id: string; name: string }>("/api/v1/pools")) {
    if (pool.name === said) return pool.pool_id;
  }
  return said;
}

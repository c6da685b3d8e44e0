/** A bare Bun.serve that answers every request with the same bytes. */
export async function openBare(bytes: Uint8Array<ArrayBuffer>) {
  const headers = { "content-type": "application/json; charset=utf-8" };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: () => new Response(bytes, { headers }),
  });
  return { port: (_: null) => server.port ?? 0 };
}

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { World } from "./world.ts";

/** Each test installs several times, in shells that start hundreds of commands. */
setDefaultTimeout(60_000);

/** A sandbox that serves version 1.0.0. */
function fresh(): World {
  const world = new World();
  world.publish("1.0.0");
  return world;
}

describe("a release is taken", () => {
  test("works offline from a folder, and says how a node does", async () => {
    using world = fresh();
    const { code, stdout } = await world.install({ env: { INSTALL_GALAXY_FROM: world.latest } });
    expect(code).toBe(0);
    expect(world.fetched).toEqual([]);
    expect(stdout).toContain(`sh ${world.latest}/install.sh --from ${world.latest}\n`);
  });

  test("takes wget where there is no curl", async () => {
    using world = fresh();
    const { code, stderr } = await world.install({ path: world.pathWithout(["curl"]) });
    expect(stderr).not.toContain("ERROR");
    expect(code).toBe(0);
    expect(world.has("usr/local/bin/galaxy-pool")).toBe(true);
  });

  test("verifies with ssh-keygen where there is no minisign", async () => {
    using world = fresh();
    const { code, stdout } = await world.install({ path: world.pathWithout(["minisign"]) });
    expect(code).toBe(0);
    expect(stdout).toContain("(SSH signature verified)");
  });

  test("goes on without a verifier only when told by name", async () => {
    using world = fresh();
    const path = world.pathWithout(["minisign", "ssh-keygen"]);
    const { code, stderr } = await world.install({ path, flags: ["--skip-signature"] });
    expect(code).toBe(0);
    expect(stderr).toContain("The signature is not verified, as you said.");
  });

  test.each([
    ["curl", []],
    ["wget", ["curl"]],
  ])("through a proxy that is set, with %s, and the proxy is not kept", async (_, without) => {
    using world = fresh();
    const { code, stdout } = await world.install({
      path: world.pathWithout(without),
      env: {
        INSTALL_GALAXY_BASE_URL: "http://downloads.example",
        INSTALL_GALAXY_INSECURE_URL: "yes",
        http_proxy: world.baseUrl,
      },
    });
    expect(code).toBe(0);
    expect(world.fetched).toContain("SHA256SUMS");
    expect(stdout).toContain(
      "sudo INSTALL_GALAXY_BASE_URL=http://downloads.example INSTALL_GALAXY_INSECURE_URL=yes GALAXY_POOL_URL=",
    );
    expect(world.read("etc/galaxy-pool/galaxy-pool.env")).not.toContain("proxy");
  });

  test.each([
    ["curl", []],
    ["wget", ["curl"]],
  ])("from this machine without a proxy, and over IPv6, with %s", async (_, without) => {
    using world = fresh();
    const port = Number(new URL(world.baseUrl).port);
    using relay = Bun.serve({
      hostname: "::1",
      port: 0,
      fetch: ({ url }) => fetch(`http://127.0.0.1:${port}${new URL(url).pathname}`),
    });
    const { code } = await world.install({
      path: world.pathWithout(without),
      env: {
        INSTALL_GALAXY_BASE_URL: `http://[::1]:${relay.port}`,
        http_proxy: "http://127.0.0.1:1",
        HTTP_PROXY: "http://127.0.0.1:1",
      },
    });
    expect(code).toBe(0);
  });
});

const AGAIN_MS = 20;
const ANSWER_MS = 10_000;

/** What a pool said it had stored. */
export interface Acknowledged {
  readonly ids: readonly string[];
  /** Why the last write was not acknowledged. */
  readonly problem: string;
}

interface Writing {
  /** Ends the writing; answers everything that was acknowledged. */
  stop(): Promise<Acknowledged>;
}

/** Writes one join token after the other over a pool's HTTPS, until it is stopped or the pool is gone. */
export function keepWriting(port: number, secret: string): Writing {
  const ids: string[] = [];
  let problem = "";
  let isOver = false;
  const write = async (): Promise<void> => {
    while (!isOver) {
      const answer = await fetch(`https://127.0.0.1:${port}/api/v1/tokens`, {
        method: "POST",
        headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
        body: JSON.stringify({ uses: 1, ttl_seconds: 3600 }),
        tls: { rejectUnauthorized: false },
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      const body = (await answer.json()) as { token_id?: string };
      if (answer.status === 201 && body.token_id !== undefined) ids.push(body.token_id);
      else problem = `${answer.status} ${JSON.stringify(body)}`;
      await Bun.sleep(AGAIN_MS);
    }
  };
  const done = write().catch((error: unknown) => {
    problem = String(error);
  });
  return {
    async stop() {
      isOver = true;
      await done;
      return { ids, problem };
    },
  };
}

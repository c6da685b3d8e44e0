/** Lets everybody else who waits go first: heartbeats do not wait for a whole pool. */
export function othersTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Acts on all items, so many at a time; others get their turn in between. */
export async function inTurns<Item>(
  items: Iterable<Item>,
  perTurn: number,
  act: (item: Item) => void,
): Promise<void> {
  let done = 0;
  for (const item of items) {
    act(item);
    done += 1;
    if (done % perTurn === 0) await othersTurn();
  }
}

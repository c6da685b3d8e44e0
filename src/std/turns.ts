/** Lets one at a time, in the order they came: what is in memory and on the disk is seen together. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs when all who came before are done, whatever became of them. */
  take<Result>(act: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(act);
    this.#last = turn.catch(() => {});
    return turn;
  }
}

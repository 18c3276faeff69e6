// `vedette doctor`: what this host offers.

/** Prints the findings; the exit status: 0 when programs can run. */
export async function runDoctor(_json: boolean): Promise<number> {
  throw new Error('doctor is not written yet');
}

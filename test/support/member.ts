import type { Member } from "../../src/shared/fleet/membership.ts";
import { NOTHING_HELD } from "../../src/shared/protocol/holdings.ts";

/** A member that has just become ready and that nothing has happened to. */
export const memberOf = (peer: string, changes: Partial<Member> = {}): Member => ({
  ...{ peer, session: `c/${peer}`, name: peer, incarnation: peer, host: "here", pid: 1, engine: "wasm", device: "cpu" },
  ...{ ready: true, holds: NOTHING_HELD, computed: 0, joinedAt: 0, progressAt: 0, late: false, leaving: undefined },
  ...{ speed: undefined, badAnswers: 0, pingedAt: 0, pings: 0, pingsBeforeWork: 0 },
  ...changes,
});

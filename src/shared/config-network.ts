/** What the options of addresses and keys mean together. Pure. */

/** Those options, as far as a command has them. */
interface NetworkOptions {
  readonly listen?: string;
  readonly connect?: string;
  readonly key?: string;
  readonly allow?: string;
  readonly coordinatorKey?: string;
  readonly insecure?: boolean;
}

/** How options of one source are written in sentences. */
type NameOf = (key: string) => string;

/** Why these options cannot be had together, as a sentence. */
export function networkConflict(config: NetworkOptions, name: NameOf): string | undefined {
  return listenerConflict(config, name) ?? connectionConflict(config, name);
}

function listenerConflict({ listen, connect, key, allow, insecure }: NetworkOptions, name: NameOf): string | undefined {
  if (listen === undefined) return undefined;
  if (allow !== undefined && key === undefined) {
    return `${name("allow")} lets nobody in without ${name("key")}, this end's secret key; lockstep keygen makes both`;
  }
  // A relay's key may be for whom it connects to alone.
  const isForAbove = connect !== undefined && !isForeign(listen);
  if (key !== undefined && allow === undefined && !isForAbove) {
    return `${name("key")} needs ${name("allow")}, the list of those who may come in; lockstep keygen makes both`;
  }
  if (key !== undefined || insecure === true || !isForeign(listen)) return undefined;
  return (
    `${name("listen")} ${listen} can be reached from other machines, and anyone there could join and spoil the run; ` +
    `give ${name("key")} and ${name("allow")} (lockstep keygen makes them), or say ${name("insecure")} ` +
    "on a network that you trust"
  );
}

function connectionConflict({ connect, key, coordinatorKey }: NetworkOptions, name: NameOf): string | undefined {
  if (connect === undefined || (key === undefined) === (coordinatorKey === undefined)) return undefined;
  return key === undefined
    ? `${name("coordinatorKey")} needs ${name("key")}, this end's own secret key; lockstep keygen makes both`
    : `${name("key")} needs ${name("coordinatorKey")}, the public key of whom it connects to: coordinator.pub of lockstep keygen`;
}

/** Whether other machines can reach an address that is listened on. A name is taken for another machine's unless known. */
export function isForeign(listen: string): boolean {
  const [, host = ""] = /^tcp:\/\/(.+):[^:]+$/.exec(listen) ?? [];
  return listen.startsWith("tcp://") && !/^(127(\.\d{1,3}){3}|localhost|lo|\[::1\])$/i.test(host);
}

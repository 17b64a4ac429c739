/** Options about addresses and keys. */

import { connectEndpoint, integer, keyName, listenEndpoint, text, toggle } from "../config-values.ts";

export const listen = {
  listen: listenEndpoint().default("tcp://127.0.0.1:5555").describe("address that workers connect to"),
};

const ownKey = {
  key: text("FILE", "the path of a secret key, NAME.key of lockstep keygen")
    .exactOptional()
    .describe("this end's secret key: all that is sent is encrypted, and only those with the right keys can join"),
};

export const doorKeys = {
  ...ownKey,
  allow: text("FILE", "the path of a list of public keys, workers.allow of lockstep keygen")
    .exactOptional()
    .describe("public keys of the workers that may join, a line each; may change while the run goes on"),
  insecure: toggle()
    .default(false)
    .describe("listen to other machines without keys: anyone who can reach the port can join and spoil the run"),
};

export const visitorKeys = {
  ...ownKey,
  coordinatorKey: text("FILE", "the path of a public key, coordinator.pub of lockstep keygen")
    .exactOptional()
    .describe("public key of whom it connects to; of several in the file each is tried in turn"),
};

export const connection = {
  connect: connectEndpoint().default("tcp://127.0.0.1:5555").describe("the coordinator's address"),
  coordinatorTimeoutS: integer(1, 604_800)
    .default(60)
    .describe("give up after this many seconds without a coordinator"),
};

export const relaying = {
  listen: listenEndpoint().default("tcp://127.0.0.1:5556").describe("address that workers and relays below connect to"),
  joinTimeoutS: integer(0, 604_800)
    .default(600)
    .describe("give up after this many seconds with nobody below; 0 waits for ever"),
};

export const newKeys = {
  keys: text("DIR", "a folder").default("keys").describe("folder for the keys; what is there already is kept"),
  name: keyName()
    .exactOptional()
    .describe("make one pair of this name, to be added to a list; without it, a set for a coordinator and its workers"),
};

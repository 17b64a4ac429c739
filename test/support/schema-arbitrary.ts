import fc from "fast-check";
import { z } from "zod";

/** The part of JSON Schema that the headers' schemas come to. */
interface Node {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly oneOf?: readonly Node[];
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMaximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly minItems?: number;
  readonly maxItems?: number;
}

/** Long texts and lists take time and find no more. */
const LONGEST_TEXT = 60;
const LONGEST_LIST = 12;

/** Values that a zod schema allows; made from the schema itself, so that a message added there is tested here. */
export function arbitraryFor<Type>(schema: z.ZodType<Type>): fc.Arbitrary<Type> {
  return arbitraryOf(z.toJSONSchema(schema) as Node) as fc.Arbitrary<Type>;
}

/** The variants of a discriminated union by their `type`. */
export function variantsOf(schema: z.ZodType): ReadonlyMap<string, fc.Arbitrary<unknown>> {
  const { oneOf = [] } = z.toJSONSchema(schema) as Node;
  return new Map(oneOf.map((variant) => [String(variant.properties?.["type"]?.const), arbitraryOf(variant)]));
}

function arbitraryOf(node: Node): fc.Arbitrary<unknown> {
  if (node.const !== undefined) return fc.constant(node.const);
  if (node.enum !== undefined) return fc.constantFrom(...node.enum);
  if (node.oneOf !== undefined) return fc.oneof(...node.oneOf.map(arbitraryOf));
  switch (node.type) {
    case "object": {
      const entries = Object.entries(node.properties ?? {});
      return fc.record(Object.fromEntries(entries.map(([key, value]) => [key, arbitraryOf(value)])));
    }
    case "array": {
      const { items, minItems = 0, maxItems = LONGEST_LIST } = node;
      if (items === undefined) throw new Error("an array without items");
      return fc.array(arbitraryOf(items), { minLength: minItems, maxLength: Math.min(maxItems, LONGEST_LIST) });
    }
    case "string": {
      const { pattern, minLength = 0, maxLength = LONGEST_TEXT } = node;
      if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern));
      return fc.string({ minLength, maxLength: Math.min(maxLength, LONGEST_TEXT), unit: "grapheme-ascii" });
    }
    case "integer":
      return integerBetween(node.minimum ?? Number.MIN_SAFE_INTEGER, node.maximum ?? Number.MAX_SAFE_INTEGER);
    case "number": {
      const { minimum, exclusiveMaximum } = node;
      if (minimum === undefined || exclusiveMaximum === undefined) throw new Error("a number without bounds");
      return fc.double({ min: minimum, max: exclusiveMaximum, maxExcluded: true, noNaN: true });
    }
    case "boolean":
      return fc.boolean();
    default:
      throw new Error(`no arbitrary for ${JSON.stringify(node)}`);
  }
}

/** Both ends, small numbers (of which msgpack has several sizes), and anything between. */
function integerBetween(minimum: number, maximum: number): fc.Arbitrary<number> {
  const small = fc.nat(70_000).filter((value) => value >= minimum && value <= maximum);
  const any = fc
    .double({ min: 0, max: 1, noNaN: true })
    .map((part) => minimum + Math.floor(part * (maximum - minimum)));
  return fc.oneof(fc.constantFrom(minimum, maximum), small, any);
}

import type { Facility } from "../../api/types";
import { addressOf, type ShownPoint } from "../data/address";

/** A point with all the words that people may look for it by. */
export interface Findable extends ShownPoint {
  address: string;
  words: string;
}

/** Return all points of the site, ready to be searched at every key. */
export function findables(facility: Facility): Findable[] {
  const spaces = new Map(facility.spaces.map((space) => [space.id, `${space.name.en} ${space.name.zh}`]));
  return facility.assets.flatMap((asset) =>
    asset.points.map((point) => {
      const names = [asset.name.en, asset.name.zh, point.title.en, point.title.zh, point.unit];
      const address = addressOf({ asset, point });
      const words = [...names, address, spaces.get(asset.space_id) ?? ""].join(" ").toLowerCase();
      return { asset, point, address, words };
    }),
  );
}

/** Return the points in which every word of the text stands somewhere, and how many there are. */
export function search(
  all: readonly Findable[],
  text: string,
  most: number,
): { found: Findable[]; total: number } {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const fitting = all.filter((one) => words.every((word) => one.words.includes(word)));
  return { found: fitting.slice(0, most), total: fitting.length };
}

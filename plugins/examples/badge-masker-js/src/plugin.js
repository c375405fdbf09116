// Replaces the numbers of employees' badges: EMP- and digits.
export function mask(leaf, out) {
  for (const badge of leaf.text.matchAll(/EMP-[0-9]+/g)) {
    out.replace(badge.index, badge.index + badge[0].length, "[badge]");
  }
}

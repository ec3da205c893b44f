/** Who finds what is public: everybody. What is private is found by members of its entity, whose id the audience is. */
export const EVERYBODY = '';

/** @param entity id of the entity that the object belongs to */
export function audienceOf(entity: string, isPrivate: boolean): string {
  return isPrivate ? entity : EVERYBODY;
}

/** A part of a list in the order of names. */
export interface Stretch {
  /** Behind this name; '' for the beginning. */
  readonly after: string;
  readonly limit: number;
}

/** The first text behind a name: names are of letters, digits, ".", "_" and "-", and a blank sorts before all of them. */
export function justBehind(name: string): string {
  return name === '' ? '' : `${name} `;
}

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What of a step is not so, in words. A step expects
 *
 * - `status`: how it ends, 0 when absent
 * - `says`, `never`: texts and patterns that occur in what it prints, and that do not
 * - `keeps`: values by their names, each the first group of a pattern in what it prints
 * - `same`: two files that have the same bytes
 * - `there`, `gone`: a file that is there, and one that is not
 *
 * @param ended `{ status, said, values }`
 */
export function problemsOf({ status = 0, says = [], never = [], keeps = {}, same, there, gone }, ended) {
  const { said, values } = ended;
  const path = (file) => join(values.home, file);
  const occurs = (one) =>
    one instanceof RegExp
      ? new RegExp(filled(one.source, values), one.flags).test(said)
      : said.includes(filled(one, values));
  return [
    ...(ended.status === status ? [] : [`status ${status}`]),
    ...says.filter((one) => !occurs(one)).map((one) => `the words ${one}`),
    ...never.filter(occurs).map((one) => `nothing of ${one}`),
    ...Object.keys(keeps)
      .filter((name) => values[name] === undefined)
      .map((name) => `something like ${keeps[name]}`),
    ...(same === undefined || equal(...same.map(path)) ? [] : [`${same.join(' and ')} to be the same`]),
    ...(there === undefined || existsSync(path(there)) ? [] : [`a file ${there}`]),
    ...(gone !== undefined && existsSync(path(gone)) ? [`no ${gone}`] : []),
  ];
}

/** A text with values in it; what has no value stays. */
export const filled = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

const equal = (one, other) =>
  existsSync(one) && existsSync(other) && readFileSync(one).equals(readFileSync(other));

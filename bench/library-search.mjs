// What the library is asked with few and with many images: records, tags, lists and searches.
//
//   npm run build && npm run bench:library-search [-- --sizes N,N] [--rounds N] [--seconds N] [--connections N] [--tags N]
//     [--only TEXT]
//
// For each size a library of its own, which is filled through the document port: ten images in a container, each with a tag, labels
// and a signer, each container with a description. All servers are processes of their own, asked in interleaved rounds over HTTP, so
// that encryption hides no difference, by wrk (Debian): closed loop, keep-alive, what is asked for drawn anew for each request.
// With --only those questions alone whose name has the text in it. Medians are printed, and for each kind of question what a request
// takes with most images against fewest = 1 (less is better).
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { HASHES, hashId, IMAGES, tagId, TAGS } from '#apps/library/src/images/documents.store';
import { containerTerms, imageTerms, TERMS } from '#apps/library/src/search/documents.store';
import { CONTAINERS, NAMES } from '#apps/library/src/tree/documents.store';
import { newObjectId } from '#libs/core';
import { openDocuments } from '#libs/documents';
import { processorTimeOf, residentOf } from './support/children.mjs';
import { startLibrary } from './support/library.mjs';
import { median, report } from './support/report.mjs';
import { atMost } from './support/target.mjs';
import { temporaryFolder } from './support/temporary.mjs';
import { load, writeRequests } from './support/wrk.mjs';

const { values } = parseArgs({
  options: {
    sizes: { type: 'string', default: '1000,100000' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    connections: { type: 'string', default: '4' },
    tags: { type: 'string', default: '100' },
    only: { type: 'string', default: '' },
  },
});
const sizes = values.sizes.split(',').map(Number);
const [rounds, seconds, connections, tags] = [
  values.rounds,
  values.seconds,
  values.connections,
  values.tags,
].map(Number);
const WANTED = 1.5;
const PER_CONTAINER = 10;
/** Containers that are stored at once. */
const AT_ONCE = 500;
/** Different things that are asked for: as many with few images as with many. */
const ASKED = 100;

const search = (query) => `/v1/search?${query}`;
const KINDS = [
  { what: 'image by tag', of: ({ place, tag }) => `/v1/images/${place}:${tag}?arch=amd64` },
  { what: 'image by hash', of: ({ place, hash }) => `/v1/images/${place}:${hash}` },
  { what: 'container with its tags', of: ({ place }) => `/v1/containers/${place}` },
  { what: 'list of tags', of: ({ place }) => `/v1/manage/tags/${place}` },
  { what: 'list of images', of: ({ place }) => `/v1/manage/images/${place}` },
  { what: 'list of containers, first page', of: () => '/v1/manage/containers/admin/bench?limit=50' },
  { what: 'search: one name', of: ({ name }) => search(`value=${name}`) },
  { what: 'search: path', of: ({ place }) => search(`value=${place}`) },
  { what: 'search: word of one description', of: ({ word }) => search(`value=${word}`) },
  { what: 'search: word of every description', of: () => search('value=everywhere') },
  { what: 'search: part of every name', of: () => search('value=tool') },
  { what: 'search: two words, one in one, one in all', of: ({ word }) => search(`value=everywhere+${word}`) },
  { what: 'search: label of one image', of: ({ label }) => search(`value=${label}`) },
  { what: 'search: label of every image', of: () => search('value=ubiquitous') },
  {
    what: 'search: label of every image, for another machine',
    of: () => search('value=ubiquitous&arch=riscv64'),
  },
  { what: 'search: beginning of a hash', of: ({ hash }) => search(`value=${hash.slice(7, 31)}`) },
  { what: 'search: signer', of: ({ signer }) => search(`signer=${signer.slice(-16)}`) },
  { what: 'search: in an entity', of: ({ word }) => search(`value=${word}&entity=admin`) },
]
  .map((kind, at) => ({ ...kind, at }))
  .filter(({ what }) => what.includes(values.only));

const SETTING = 'setting a tag';

const folder = await temporaryFolder();
const started = [];
try {
  const libraries = [];
  for (const size of sizes) libraries.push(await filledLibrary(size));
  for (const kind of KINDS) await compare(kind, libraries);
  if (SETTING.includes(values.only)) await compareTags(libraries);
  for (const { size, pid } of libraries)
    report(`memory of the server after all this, ${size} images`, {
      resident: `${residentOf(pid).toFixed(0)} MiB`,
    });
} finally {
  for (const library of started) await library.stop();
  await folder.remove();
}

/** A library with so many images, and some of what there is in it. */
async function filledLibrary(size) {
  const home = folder.sub(String(size));
  await (await startLibrary({ folder: home, scheme: 'http' })).stop();
  const began = performance.now();
  const things = await fill(`sqlite:${join(home, 'data/library')}`, size);
  process.stderr.write(
    `Filled with ${size} images in ${((performance.now() - began) / 1000).toFixed(1)} s\n`,
  );
  const library = await startLibrary({ folder: home, scheme: 'http' });
  started.push(library);
  return { size, things, ...library };
}

async function fill(address, size) {
  const database = await openDocuments(address, { service: 'library' });
  try {
    const tables = Object.fromEntries(
      [CONTAINERS, NAMES, IMAGES, HASHES, TAGS, TERMS].map((spec) => [spec.name, database.collection(spec)]),
    );
    const found = await tables.names.get('admin/bench/image');
    const model = await tables.containers.get(found.value.target);
    const every = Math.max(1, Math.floor(size / ASKED));
    const things = [];
    let waiting = [];
    for (let number = 0; number < size; number += PER_CONTAINER) {
      const { documents, container, image } = containerOf(model.value, number);
      waiting.push(documents);
      if (waiting.length === AT_ONCE || number + PER_CONTAINER >= size) {
        for (const [name, table] of Object.entries(tables))
          await table.load(waiting.flatMap((one) => one[name]));
        waiting = [];
      }
      if (number % every < PER_CONTAINER && things.length < ASKED) things.push(thingOf(container, image));
    }
    return things;
  } finally {
    await database.close();
  }
}

/** A container with its images, as the library would store them. */
function containerOf(model, number) {
  const name = `tool-${randomBytes(4).toString('hex')}`;
  const description = `Found everywhere, and here alone: w${randomBytes(4).toString('hex')}`;
  const container = { id: newObjectId(), value: { ...model, name, description, tags: PER_CONTAINER } };
  const path = `${model.entityName}/${model.collectionName}/${name}`;
  const documents = {
    containers: [container],
    names: [{ id: path, value: { target: container.id } }],
    images: [],
    imageHashes: [],
    tags: [],
    terms: [...containerTerms(container)].map(([id, value]) => ({ id, value })),
  };
  for (let at = 0; at < PER_CONTAINER; at += 1) {
    const image = imageIn(container, number + at);
    const { hash, createdBy, createdAt } = image.value;
    const tag = { container: container.id, arch: 'amd64', tag: `v${at}`, image: image.id };
    documents.images.push(image);
    documents.imageHashes.push({ id: hashId(container.id, hash), value: { image: image.id } });
    documents.tags.push({ id: tagId(tag), value: { ...tag, updatedBy: createdBy, updatedAt: createdAt } });
    documents.terms.push(...[...imageTerms(image, container)].map(([id, value]) => ({ id, value })));
  }
  return { documents, container, image: documents.images[0] };
}

function imageIn(container, number) {
  const signer = randomBytes(20).toString('hex');
  const labels = [
    { name: 'purpose', value: 'ubiquitous' },
    { name: 'number', value: `l${randomBytes(4).toString('hex')}` },
  ];
  const value = {
    container: container.id,
    hash: `sha256.${randomBytes(32).toString('hex')}`,
    description: '',
    customData: '',
    uploaded: true,
    size: 4096,
    format: 'sif',
    arch: 'amd64',
    signed: true,
    encrypted: false,
    fingerprints: [signer],
    signers: [signer],
    labels,
    createdBy: 'admin',
    createdAt: new Date(Date.UTC(2026, 0, 1) + number).toISOString(),
  };
  return { id: newObjectId(), value };
}

function thingOf({ id, value }, image) {
  const { name, entityName, collectionName, description } = value;
  return {
    container: id,
    image: image.id,
    name,
    place: `${entityName}/${collectionName}/${name}`,
    tag: 'v0',
    hash: image.value.hash,
    word: description.slice(description.lastIndexOf(' ') + 1),
    label: image.value.labels[1].value,
    signer: image.value.signers[0],
  };
}

async function compare({ what, of, at }, libraries) {
  const runs = libraries.map((library) => ({
    library,
    script: writeRequests(folder.path, `${at}-${library.size}`, [...new Set(library.things.map(of))]),
  }));
  const ask = async ({ library, script }, round) => {
    const before = processorTimeOf(library.pid);
    const {
      rate,
      median: middle,
      requests,
    } = await load({
      base: library.base,
      connections,
      script,
      seconds,
      seed: round + 1,
    });
    return { rate, middle, work: ((processorTimeOf(library.pid) - before) * 1000) / requests };
  };
  tell(what, libraries, await inRounds(runs, ask));
}

/** Setting a tag: each time another one, of images that are asked for, one request after the other. */
async function compareTags(libraries) {
  let count = 0;
  const set = async ({ client, things, pid }) => {
    const began = performance.now();
    const before = processorTimeOf(pid);
    for (let at = 0; at < tags; at += 1) {
      const { container, image } = things[at % things.length];
      const body = { Arch: 'amd64', Tag: `bench${(count += 1)}`, ImageID: image };
      await client.send('POST', `/v2/tags/${container}`, { body });
    }
    const took = performance.now() - began;
    return {
      rate: (tags * 1000) / took,
      middle: took / tags,
      work: ((processorTimeOf(pid) - before) * 1000) / tags,
    };
  };
  for (const library of libraries) await set(library);
  tell(SETTING, libraries, await inRounds(libraries, set));
}

async function inRounds(runs, measure) {
  const results = runs.map(() => []);
  // The first round makes them warm.
  for (let round = -1; round < rounds; round += 1) {
    const order = [...runs.keys()];
    for (const at of round % 2 === 0 ? order : order.toReversed()) {
      const result = await measure(runs[at], round + 1);
      if (round >= 0) results[at].push(result);
    }
  }
  return results;
}

function tell(what, libraries, results) {
  const [fewest, most] = [results[0], results.at(-1)];
  const ratio = median(most.map(({ rate }, round) => fewest[round].rate / rate));
  const of = (all, name) => median(all.map((one) => one[name]));
  report(`${what}, from ${libraries[0].size} images to ${libraries.at(-1).size}`, {
    'time ratio': ratio,
    target: atMost(ratio, WANTED),
    'of processor time': (of(most, 'work') / of(fewest, 'work')).toFixed(2),
    rates: [fewest, most].map((all) => `${of(all, 'rate').toFixed(0)}/s`).join(' and '),
    medians: [fewest, most].map((all) => `${of(all, 'middle').toFixed(2)} ms`).join(' and '),
  });
}

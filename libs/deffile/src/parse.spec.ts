import fc from 'fast-check';
import { DomainError } from '#libs/core';
import { describe, expect, it } from 'vitest';
import { cpuTime } from '../../../test/support/cpu-time.js';
import {
  type Definition,
  parseBuildArgument,
  parseBuildArgumentFile,
  parseDefinition,
  runnableScript,
  scriptCommand,
  type Stage,
  toDefinitionJson,
} from './index.js';

const H = 'bootstrap: docker\nfrom: alpine\n';

function one(text: string, buildArguments?: Record<string, string>): Stage {
  const options =
    buildArguments === undefined ? {} : { buildArguments: new Map(Object.entries(buildArguments)) };
  const stage = parseDefinition(text, options).stages[0];
  if (stage === undefined) throw new Error('no stage');
  return stage;
}

const header = (text: string) => Object.fromEntries(one(text).header ?? []);
const transfers = (text: string) =>
  parseDefinition(text, { keepVariables: true }).stages[0]?.files.map(({ args, stage, files }) => ({
    args,
    stage,
    files: files.map((file) => [file.source, file.destination]),
  }));
const script = (text: string, name: 'post' | 'runscript' | 'test') => {
  const found = one(text).scripts.get(name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
};

describe('a hostile definition file', () => {
  // As long as a definition may be: a step that copies what it has for each section would take minutes, for all users of a service.
  const filled = (line: string): string => H + line.repeat(Math.floor((1024 * 1024 - 100) / line.length));
  it.each(['%post\n', '%files\na\n', '%apprun a\nb\n', '%labels\na b\n', '%test -x\n'])(
    'of nothing but %j is read in time that grows with its length',
    (line) => {
      expect(cpuTime(() => void parseDefinition(filled(line)))).toBeLessThan(3000);
    },
  );

  it.each([
    ['in one stage', `${H}%arguments\nA=${'x'.repeat(60_000)}\n%post\n${'{{A}}'.repeat(1000)}\n`],
    [
      'in all stages together',
      `${H}%arguments\nA=${'x'.repeat(60_000)}\n%post\n{{A}}\n`.replace('{{A}}', '#').repeat(10) +
        `${H}%arguments\nA=${'x'.repeat(60_000)}\n%labels\n{{A}}\n`.repeat(7),
    ],
  ])('cannot grow without end by its variables, %s', (_, text) => {
    expect(() => parseDefinition(text)).toThrow('1048576 bytes for a definition file with its variables');
  });

  it('is not quoted at length in an error', () => {
    const message = (text: string): string => {
      try {
        parseDefinition(text);
      } catch (error) {
        return error instanceof Error ? error.message : '';
      }
      return '';
    };
    expect(message(`${H}${'%nothing\n'.repeat(50_000)}`)).toMatch(/^invalid section.{400,600}… \(line 3\)$/);
    expect(message(`${'x'.repeat(60_000)}: y\n`).length).toBeLessThan(600);
  });
});

// The numbers are those of the definition-file contract, §13.
describe('a definition file', () => {
  it('1: has header and post', () => {
    expect(header(`${H}%post\necho hi\n`)).toEqual({ bootstrap: 'docker', from: 'alpine' });
    expect(script(`${H}%post\necho hi\n`, 'post').script).toBe('echo hi\n');
  });

  it('2: takes keywords and section names in any case', () => {
    const stage = one('BootStrap: docker\nFROM: alpine\n%POST\ntrue\n');
    expect([...(stage.header?.keys() ?? [])]).toEqual(['bootstrap', 'from']);
    expect(stage.scripts.has('post')).toBe(true);
  });

  it.each([
    [3, '%runscript\necho hi\n'],
    [4, '# c\n\n%post\ntrue\n'],
    [5, '   \n\n%labels\nA b\n'],
  ])('%i: parses without a header', (_, text) => {
    expect(one(text).header).toBeUndefined();
  });

  it.each([
    [6, '', 'empty definition file'],
    [7, '# only\n# comments\n', 'empty definition file'],
    [8, '{"header":{"bootstrap":"docker"}}', 'header'],
    [9, `${H}%badsection\nx\n`, 'invalid section(s) specified: badsection'],
    [10, `${H}%bad1\n%bad2\nx\n`, 'invalid section(s) specified: bad1, bad2'],
    [11, 'foo: bar\n%post\ntrue\n', 'invalid header keyword found: foo'],
    [12, 'bootstrap docker\n', 'header key bootstrap docker had no val'],
    [19, 'bootstrap: docker\ninclude: a \\\n# x\n', 'expected a line that continues the value'],
    [20, 'otherurl: u\n', 'invalid header keyword found: otherurl'],
    [20, 'from9: u\n', 'invalid header keyword found: from9'],
    [21, `\uFEFF${H}`, 'invalid header keyword found'],
    [23, '%files', 'section %files: could not be split into section name and body'],
    [29, `${H}%files\n"\n`, 'unbalanced double quote'],
    [34, `${H}%files\tfrom x\n`, 'invalid section(s) specified: files\tfrom'],
    [39, `${H}% post\ntrue\n`, 'invalid section(s) specified: '],
    [40, `${H}%post\nx\n  %environment\nA=b\n`, 'invalid section(s) specified: '],
    [41, `${H}%post\ncat <<E\n%d\nE\n`, 'invalid section(s) specified: d'],
    [43, `${H}%apprun\nx\n`, 'could not be split into section name and app name'],
    [45, `${H}%AppRun foo\na\n`, 'invalid section(s) specified: apprun'],
    [46, `${H}%post\n${'x'.repeat(70_000)}\n`, 'token too long'],
    [50, `${H}%post\ncat <<E\nBootstrap: x\nE\n`, 'header key E had no val'],
    [58, `${H}# {{ X }}\n`, 'build var X is not defined'],
  ])('%i: is refused with the words of the stock parser', (_, text, message) => {
    expect(() => parseDefinition(text)).toThrow(message);
    expect(() => parseDefinition(text)).toThrow(DomainError);
  });

  it('names the line of a fault', () => {
    expect(() => parseDefinition(`${H}%post\ntrue\n%nope\nx\n`)).toThrow('(line 5)');
  });

  it.each([
    [13, 'bootstrap: docker # c\nfrom: alpine#3\n', { bootstrap: 'docker', from: 'alpine' }],
    [14, 'from: a:b:c\n', { from: 'a:b:c' }],
    [15, 'from: a\nfrom: b\n', { from: 'b' }],
    [16, 'include: a \\\n b \\\n c\n', { include: 'a b c' }],
    [17, 'include: a\\\nb\n', { include: 'ab' }],
    [18, 'productpgp: L1\\n\\\nL2\n', { productpgp: 'L1\nL2' }],
    [20, 'otherurl0: u\notherurl12: v\n', { otherurl0: 'u', otherurl12: 'v' }],
    [22, 'bootstrap: docker\r\nfrom: alpine\r\n', { bootstrap: 'docker', from: 'alpine' }],
  ])('%i: header values', (_, text, expected) => {
    expect(header(text)).toEqual(expected);
  });

  it.each([
    [
      24,
      'a b\nc\n# x\n\n',
      [
        ['a', 'b'],
        ['c', ''],
      ],
    ],
    [25, '"a b" "c d"\n', [['a b', 'c d']]],
    [25, '"a b"/c d\n', [['a b', '/c']]],
    [26, "'e f' g\n", [["'e f", "' g"]]],
    [
      27,
      'a b # c\nd # e\n',
      [
        ['a', 'b'],
        ['d', '#'],
      ],
    ],
    [28, 'a b c\n', [['a', 'b']]],
    [30, '{{ A }} /opt/{{ B }}/x\n', [['{{ A }}', '/opt/{{ B }}/x']]],
  ])('%i: %%files lines', (_, body, files) => {
    expect(transfers(`${H}%files\n${body}`)).toEqual([{ args: '', stage: undefined, files }]);
  });

  it('31: merges blocks with the same arguments only', () => {
    expect(transfers(`${H}%files\na b\n%post\ntrue\n%files\nc d\n%files from s\ne f\n`)).toEqual([
      {
        args: '',
        stage: undefined,
        files: [
          ['a', 'b'],
          ['c', 'd'],
        ],
      },
      { args: 'from s', stage: 's', files: [['e', 'f']] },
    ]);
  });

  it.each([
    ['from build # x', 'build'],
    ['foo devel', 'devel'],
    ['stage z', undefined],
    ['from a b', undefined],
  ])('32, 33: %%files %s', (args, stage) => {
    expect(transfers(`${H}%files ${args}\nx\n`)?.[0]?.stage).toBe(stage);
  });

  it('35, 36, 37: runs %post with the arguments of its title', () => {
    const command = (title: string) =>
      scriptCommand('post', script(`${H}%post ${title}\ntrue\n`, 'post'), '/.post.script');
    expect(command('-c /bin/bash extra stuff here #comment')).toEqual([
      '/bin/sh',
      '-ex',
      '-c',
      '/bin/bash extra stuff here /.post.script',
    ]);
    expect(command('-u')).toEqual(['/bin/sh', '-ex', '-u', '/.post.script']);
    expect(() => command('-c')).toThrow("bad post section '-c' parameter: missing arguments");
    expect(command('-c /bin/busybox sh')).toEqual(['/bin/sh', '-ex', '-c', '/bin/busybox sh /.post.script']);
  });

  it('38: joins bodies in order, and knows the line of each piece', () => {
    const post = script(`${H}%post\na\n%post -u\nb\n`, 'post');
    expect(post).toEqual({
      args: '-u',
      script: 'a\nb\n',
      pieces: [
        { line: 4, text: 'a\n' },
        { line: 6, text: 'b\n' },
      ],
    });
  });

  it('39: takes several percent signs', () => {
    expect(script(`${H}%%post\ntrue\n`, 'post').script).toBe('true\n');
  });

  it('42: labels end their name at the first space', () => {
    expect(Object.fromEntries(one(`${H}%labels\nA b\nA c\n#x y\nK\nK2\tv\nk=v w\n`).labels)).toEqual({
      A: 'c',
      K: '',
      'K2\tv': '',
      'k=v': 'w',
    });
  });

  it('44: joins app sections per app in order of appearance', () => {
    const { apps } = one(`${H}%apprun foo\na\n%appenv bar\nb\n%apprun foo\nc\n`);
    expect(apps.map((app) => app.name)).toEqual(['foo', 'bar']);
    expect(apps[0]?.sections.get('apprun')?.script).toBe('a\nc\n');
  });

  it.each([
    [47, 'bootstrap: docker\nfrom: a\nstage: one\nBOOTSTRAP: scratch\n%files from one\nx\n', 2],
    [48, 'bootstrap: docker\nfrom: a\n  bootstrap: scratch\n', 1],
    [49, 'from: a\nbootstrap: docker\n', 2],
  ])('%i: stages begin in column 0', (_, text, count) => {
    expect(parseDefinition(text).stages).toHaveLength(count);
  });

  it('51: drops leading comments from the stored text', () => {
    const definition = parseDefinition('# c\n\nbootstrap: docker\nfrom: a\nbootstrap: scratch\n');
    expect(definition.text).toBe('bootstrap: docker\nfrom: a\nbootstrap: scratch\n');
  });

  const templated = 'bootstrap: docker\nfrom: {{ IMG }}\n%arguments\nIMG=alpine:3\n';

  it('54, 55: a build argument wins over %arguments', () => {
    expect(one(templated).header?.get('from')).toBe('alpine:3');
    expect(one(templated, { IMG: 'busybox' }).header?.get('from')).toBe('busybox');
  });

  it('59: leaves other brace text as it is', () => {
    expect(script(`${H}%post\n{{ .X }} {{a-b}} {{}}\n`, 'post').script).toBe('{{ .X }} {{a-b}} {{}}\n');
  });

  it.each([
    ['foo', 'is not a key=value pair'],
    ['=x', 'missing key portion'],
    ['x=', 'missing value portion'],
  ])('60: refuses the build argument %s', (pair, message) => {
    expect(() => parseBuildArgument(pair)).toThrow(message);
  });

  it('61: warns of lines in an argument file that are no pairs', () => {
    const { values, warnings } = parseBuildArgumentFile('# c\n\nIMG=a\n');
    expect(Object.fromEntries(values)).toEqual({ IMG: 'a' });
    expect(warnings).toHaveLength(2);
  });

  it('62, 63, 66: inserts values literally and once', () => {
    const post = (body: string, values?: Record<string, string>) =>
      one(`${H}%arguments\nA = "b c"\n%post\n${body}\n`, values).scripts.get('post')?.script;
    expect(post('{{A}}')).toBe('"b c"\n');
    expect(post('{{ X }}', { X: '{{ Y }}' })).toBe('{{ Y }}\n');
    expect(post('echo ${{FOO}}', { FOO: 'bar' })).toBe('echo $bar\n');
  });

  it('64: warns of unused build arguments', () => {
    expect(parseDefinition(H, { buildArguments: new Map([['UNUSED', '1']]) }).warnings).toEqual([
      'Unused build variables: UNUSED',
    ]);
  });

  it('65: %arguments belong to their stage', () => {
    expect(() => parseDefinition('bootstrap: a\n%arguments\nA=1\nbootstrap: b\nfrom: {{A}}\n')).toThrow(
      'build var A is not defined',
    );
  });

  it('67, 68, 69: keeps or makes the interpreter line', () => {
    expect(runnableScript(script(`${H}%runscript\n#!/bin/bash -x\necho\n`, 'runscript'))).toBe(
      '#!/bin/bash -x\n\necho\n',
    );
    expect(runnableScript(script(`${H}%runscript -e #c\necho\n`, 'runscript'))).toBe(
      '#!/bin/sh -e\n\necho\n',
    );
    expect(runnableScript(script(`${H}%test\n#!/bin/busybox sh\ntrue\n`, 'test'))).toBe(
      '#!/bin/busybox sh\n\ntrue\n',
    );
  });

  it('becomes the JSON that the builder exchanges', () => {
    const json = toDefinitionJson(
      parseDefinition(`${H}%post\na\n%runscript\nr\n%files\nx y\n%apprun foo\nz\n`),
    );
    expect(json.header).toEqual({ bootstrap: 'docker', from: 'alpine' });
    expect(json.imageData.imageScripts.runScript.script).toBe('r\n');
    expect(json.buildData.files).toEqual([{ args: '', files: [{ source: 'x', destination: 'y' }] }]);
    expect(json.customData).toEqual({ 'apprun foo': 'z\n' });
    expect(json.appOrder).toEqual(['foo']);
    expect(Buffer.from(json.raw, 'base64').toString()).toContain('bootstrap: docker');
  });

  it('never fails with anything but a sentence', () => {
    const piece = fc.constantFrom(
      'bootstrap: x\n',
      '%post',
      '%files',
      ' ',
      '\n',
      '"',
      "'",
      '{{',
      '}}',
      ' A ',
      '#',
      '\\\n',
      '%apprun f\n',
      'a: b\n',
      '\t',
      '%',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        const parsed = attempt(() => parseDefinition(pieces.join('')));
        expect(parsed instanceof DomainError || 'stages' in parsed).toBe(true);
      }),
    );
  });
});

function attempt(parse: () => Definition): Definition | DomainError {
  try {
    return parse();
  } catch (error) {
    if (error instanceof DomainError) return error;
    throw error;
  }
}

// A policy from a file of JSON. Complaints name the line.
//
//   { "default": "public" | "deny",
//     "rules": [ { "allow": "*.example.com", "ports": "443", "protocol": "tcp", "within": ["10.0.0.0/8"] }, { "deny": "all" } ] }
//
// A rule may be as short as "allow example.com:443" or "allow GET example.com/v1/*"; "methods" and "paths" are members for the latter.

import type { Default } from './policy.ts';
import { parseCidr } from './ranges.ts';
import { type Action, aboutRequests, parsePorts, parseRule, type Rule, RuleError } from './rule.ts';

export interface PolicyText {
  readonly rules: readonly Rule[];
  readonly otherwise: Default | undefined;
}

const MOST_RULES = 4096;
const MEMBERS = ['allow', 'deny', 'ports', 'protocol', 'within', 'methods', 'paths', 'comment'];

/** A complaint about a file: "line 3: ...". */
export class PolicyError extends Error {
  override readonly name = 'PolicyError';
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

/** Where each element of the array "rules" begins in valid JSON: strings are passed over, depth is counted. */
function ruleOffsets(text: string): number[] {
  const offsets: number[] = [];
  let depth = 0;
  let inside = false;
  let fresh = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (/\s/.test(c)) continue;
    if (inside && depth === 2 && fresh && c !== ']') {
      offsets.push(i);
      fresh = false;
    }
    if (c === '"') {
      const start = i;
      for (i++; text[i] !== '"'; i++) if (text[i] === '\\') i++;
      if (depth === 1 && text.slice(start, i + 1) === '"rules"') inside = true;
    } else if (c === '{' || c === '[') {
      depth++;
      if (inside && depth === 2) fresh = true;
    } else if (c === '}' || c === ']') {
      depth--;
      if (inside && depth === 1) return offsets;
    } else if (c === ',' && inside && depth === 2) fresh = true;
  }
  return offsets;
}

function syntaxLine(text: string, message: string): number {
  const position = /position (\d+)/.exec(message)?.[1];
  return position === undefined ? lineAt(text, text.length) : lineAt(text, Number(position));
}

function textsOf(name: string, value: unknown): string[] | null {
  if (value === undefined) return null;
  const is = Array.isArray(value) && value.length > 0 && value.every((text) => typeof text === 'string');
  if (!is)
    throw new RuleError(`"${name}" is a list of texts; fix: ${name === 'paths' ? '["/v1/*"]' : '["GET"]'}`);
  return value as string[];
}

function readRule(value: unknown): Rule {
  if (typeof value === 'string') {
    const m = /^(allow|deny)\s+(\S.*)$/.exec(value.trim());
    if (m === null) throw new RuleError(`"${value}" is no rule; fix: "allow WHAT" or "deny WHAT"`);
    return parseRule(m[1] as Action, m[2]!);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new RuleError('a rule is an object or a string; fix: {"allow": "example.com"}');
  const members = value as Record<string, unknown>;
  for (const name of Object.keys(members))
    if (!MEMBERS.includes(name))
      throw new RuleError(`"${name}" is not known; fix: one of ${MEMBERS.join(', ')}`);
  const action: Action = members.allow === undefined ? 'deny' : 'allow';
  const what = members[action];
  if ((members.allow === undefined) === (members.deny === undefined) || typeof what !== 'string')
    throw new RuleError('a rule has "allow" or "deny", with a text; fix: {"allow": "example.com"}');
  let rule = parseRule(action, what);
  const { ports, protocol, within, methods, paths } = members;
  if (ports !== undefined) {
    if (rule.ports.length > 0) throw new RuleError(`${what}: ports twice; fix: in one place`);
    if (typeof ports !== 'string' && typeof ports !== 'number')
      throw new RuleError('"ports" is a number or a text; fix: 443 or "80,8000-8100"');
    rule = { ...rule, ports: parsePorts(String(ports), what) };
  }
  if (protocol !== undefined) {
    if (rule.protocol !== null || (protocol !== 'tcp' && protocol !== 'udp' && protocol !== 'icmp'))
      throw new RuleError('"protocol" is one of tcp, udp, icmp, once');
    rule = { ...rule, protocol };
  }
  if (rule.protocol === 'icmp' && rule.ports.length > 0) throw new RuleError(`${what}: icmp has no ports`);
  if (within !== undefined) {
    if (rule.name === null || action === 'deny' || !Array.isArray(within))
      throw new RuleError('"within" is a list of address ranges, of a name that is allowed');
    const ranges = within.map((text) => {
      const cidr = typeof text === 'string' ? parseCidr(text) : undefined;
      if (cidr === undefined) throw new RuleError(`"within": ${String(text)} is no range; fix: "10.0.0.0/8"`);
      return cidr;
    });
    rule = { ...rule, within: [...rule.within, ...ranges] };
  }
  if (methods !== undefined || paths !== undefined) {
    if (rule.http !== null) throw new RuleError(`${what}: methods and path twice; fix: in one place`);
    rule = aboutRequests(rule, textsOf('methods', methods), textsOf('paths', paths));
  }
  return rule;
}

/** Reads a file's text. Throws PolicyError. */
export function parsePolicy(text: string): PolicyText {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const { message } = error as Error;
    throw new PolicyError(`line ${syntaxLine(text, message)}: no JSON: ${message.split('\n')[0]}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new PolicyError('line 1: not an object; fix: {"rules": [...]}');
  const members = value as Record<string, unknown>;
  for (const name of Object.keys(members))
    if (!['default', 'rules', '$schema', 'comment'].includes(name)) {
      const line = lineAt(text, Math.max(0, text.indexOf(JSON.stringify(name))));
      throw new PolicyError(`line ${line}: "${name}" is not known; fix: one of default, rules`);
    }
  const { rules = [] } = members;
  const otherwise = members.default;
  if (otherwise !== undefined && otherwise !== 'public' && otherwise !== 'deny')
    throw new PolicyError(
      `line ${lineAt(text, Math.max(0, text.indexOf('"default"')))}: "default" is public or deny`,
    );
  const lineOf = (at: number | undefined): number => lineAt(text, at ?? 0);
  if (!Array.isArray(rules))
    throw new PolicyError(`line ${lineOf(text.indexOf('"rules"'))}: "rules" is no list`);
  if (rules.length > MOST_RULES) throw new PolicyError(`line 1: more than ${MOST_RULES} rules`);
  const offsets = ruleOffsets(text);
  const read = rules.map((rule: unknown, i) => {
    try {
      return readRule(rule);
    } catch (error) {
      if (!(error instanceof RuleError)) throw error;
      throw new PolicyError(`line ${lineOf(offsets[i])}: ${error.message}`);
    }
  });
  return { rules: read, otherwise };
}

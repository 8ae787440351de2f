// Holds answers of a server (standard input, a JSON array) against an OpenAPI
// page, in both directions: what was answered is documented, and what is
// documented was answered. Prints what is wrong, one finding a line.
import { readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { Validator } from '@seriousme/openapi-schema-validator'
import Ajv from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { parse } from 'yaml'

const file = process.argv[2]
const doc = parse(readFileSync(file, 'utf8'))
const answers = JSON.parse(readFileSync(0, 'utf8'))
const findings = []
const finding = text => findings.includes(text) || findings.push(text)

// 1 The page itself.
const judged = await new Validator().validate(structuredClone(doc))
if (!judged.valid) for (const e of judged.errors) finding(`${file}: ${e.instancePath} ${e.message}`)

// follow returns what a $ref stands for.
const follow = node => {
  if (!node?.$ref) return node
  const found = node.$ref.slice(2).split('/').reduce((at, key) => at?.[key], doc)
  if (found === undefined) throw new Error(`${node.$ref} is nowhere`)
  return follow(found)
}

// Every schema is compiled strictly, by its own object.
const ajv = new Ajv({ strict: true, strictTypes: false, strictRequired: false, allErrors: true })
addFormats(ajv)
const moved = node => JSON.parse(JSON.stringify(node).replaceAll('"#/components/schemas/', '"page#/$defs/'))
ajv.addSchema({ $id: 'page', $defs: moved(doc.components.schemas) })
const compiled = new Map()
const compile = schema => {
  if (!compiled.has(schema)) compiled.set(schema, ajv.compile(typeof schema === 'boolean' ? schema : moved(schema)))
  return compiled.get(schema)
}
const fault = check => (check.errors ?? []).filter(e => !['anyOf', 'oneOf', 'if'].includes(e.keyword))
  .slice(0, 3).map(e => `${e.instancePath} ${e.message} ${JSON.stringify(e.params)}`).join('; ')

// 2 Each answer is documented.
const methods = ['get', 'post', 'options', 'put', 'delete', 'patch']
const free = new Set(['date', 'content-length', 'content-type', 'server', 'connection'])
const unreadable = new Set(['parameter_missing', 'parameter_misplaced', 'parameter_empty', 'grant_unknown'])
const produced = new Set()
const headersSeen = new Map()
const membersSeen = new Map()

const responseTo = a => {
  const item = follow(doc.paths[a.path])
  const operation = item?.[a.method === 'HEAD' ? 'get' : a.method.toLowerCase()]
  const response = operation?.responses[a.status]
  if (response) return { operation, response: follow(response) }
  if (a.status === 405 && !(a.method !== 'OPTIONS' && operation)) return { response: follow(item?.['x-other-methods']), other: true }
  return {}
}

// visit notes which documented members an answer has.
const visit = (schema, value) => {
  schema = follow(schema)
  if (typeof schema !== 'object') return
  for (const part of schema.allOf ?? []) visit(part, value)
  for (const part of [...schema.anyOf ?? [], ...schema.oneOf ?? []]) if (compile(part)(value)) visit(part, value)
  if (schema.$ref) visit({ $ref: schema.$ref }, value)
  if (Array.isArray(value) && schema.items) value.forEach(item => visit(schema.items, item))
  if (!schema.properties || value === null || typeof value !== 'object') return
  if (!membersSeen.has(schema)) membersSeen.set(schema, new Set())
  for (const name of Object.keys(schema.properties)) {
    if (!(name in value)) continue
    membersSeen.get(schema).add(name)
    visit(schema.properties[name], value[name])
  }
}

// pathOf is the path of the page that an answer is of.
const templates = Object.keys(doc.paths).filter(path => path.includes('{'))
  .map(path => [path, new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`)])
const pathOf = path => doc.paths[path] ? path : templates.find(([, form]) => form.test(path))?.[0] ?? path

for (const a of answers) {
  a.path = pathOf(a.path)
  const at = `${a.method} ${a.path}: ${a.status}`
  const { operation, response, other } = responseTo(a)
  if (!response) {
    finding(`${at} is not documented: ${a.answer.slice(0, 300)}`)
    continue
  }
  const headers = Object.fromEntries(Object.entries(a.headers).map(([name, values]) => [name.toLowerCase(), values.join(', ')]))
  const type = headers['content-type']?.split(';')[0]
  const content = response.content?.[type]
  let said = a.answer, code = ''
  if (a.method === 'HEAD' || !response.content || (!type && response['x-empty'])) {
    if (a.answer) finding(`${at} has a body`)
  } else if (!content) {
    finding(`${at}: the content type ${type} is not documented`)
  } else {
    if (type === 'application/json') said = JSON.parse(a.answer)
    code = said.cspErrorCode ?? said.error ?? ''
    const check = compile(content.schema)
    if (!check(said)) finding(`${at} ${code}: ${fault(check)}: ${a.answer.slice(0, 300)}`)
    visit(content.schema, said)
  }
  produced.add([a.path, other ? 'another method' : a.method, a.status, a.method === 'HEAD' || !response.content ? '' : type ?? 'empty', code].join(' '))
  const documented = Object.fromEntries(Object.entries(response.headers ?? {}).map(([name, h]) => [name.toLowerCase(), follow(h)]))
  for (const [name, h] of Object.entries(documented)) {
    if (!(name in headers)) {
      if (h.required) finding(`${at} ${code} lacks the header ${name}`)
      continue
    }
    const check = compile(h.schema)
    if (!check(headers[name])) finding(`${at} ${code}, header ${name}: ${fault(check)}: ${headers[name]}`)
    if (!headersSeen.has(response)) headersSeen.set(response, new Set())
    headersSeen.get(response).add(name)
  }
  for (const name of Object.keys(headers)) {
    if (!free.has(name) && !(name in documented)) finding(`${at} has the header ${name}, which is not documented`)
  }
  requested(a, operation, code, at)
}

// The schema of a request takes what the server took, and refuses what misses,
// misspells or misplaces a parameter.
function requested(a, operation, code, at) {
  const body = follow(operation?.requestBody)
  const type = a.sent['content-type']
  if (!body?.content[type] || !a.body) return
  let params
  try {
    params = type === 'application/json' ? JSON.parse(a.body) : Object.fromEntries(new URLSearchParams(a.body))
  } catch { return }
  const check = compile(body.content[type].schema)
  const fits = check(params)
  if ((a.status === 200 || a.status === 201) && !fits) finding(`${at}: the schema of the request refuses what the server takes: ${fault(check)}: ${a.body.slice(0, 200)}`)
  if (unreadable.has(code) && fits) finding(`${at} ${code}: the schema takes the request: ${a.body.slice(0, 200)}`)
}

// 3 Each documented answer was given.
const codesOf = (schema, found = new Set()) => {
  schema = follow(schema)
  if (typeof schema !== 'object' || schema === null) return found
  const code = schema.properties?.cspErrorCode
  for (const word of [...code?.enum ?? [], ...code?.const ? [code.const] : []]) found.add(word)
  for (const part of [...schema.allOf ?? [], ...schema.anyOf ?? [], ...schema.oneOf ?? []]) codesOf(part, found)
  return found
}
let count = 0
const expect = (path, method, status, response) => {
  const contents = { ...response.content ?? { '': {} }, ...response['x-empty'] ? { empty: {} } : {} } // With a body, or without.
  for (const [type, media] of Object.entries(contents)) {
    const codes = method === 'HEAD' ? [''] : [...codesOf(media.schema)]
    for (const code of codes.length ? codes : ['']) {
      count++
      const key = [path, method, status, method === 'HEAD' ? '' : type, code].join(' ')
      if (!produced.has(key)) finding(`documented, and never answered: ${key}`)
    }
    if (media.schema) members(media.schema, `${status} of ${path}`)
    for (const [name, example] of Object.entries(media.examples ?? {})) exemplary(media.schema, follow(example).value, `${status} of ${path}, example ${name}`)
  }
  for (const name of Object.keys(response.headers ?? {})) {
    if (!headersSeen.get(response)?.has(name.toLowerCase())) finding(`${status} of ${path}: the header ${name} is documented, and never came`)
  }
}
const walked = new Set()
const members = (schema, where) => {
  schema = follow(schema)
  if (typeof schema !== 'object' || schema === null || walked.has(schema)) return
  walked.add(schema)
  for (const [name, member] of Object.entries(schema.properties ?? {})) {
    if (member !== false && !membersSeen.get(schema)?.has(name)) finding(`${where}: the member ${name} is documented, and never came`)
    members(member, where)
  }
  for (const part of [...schema.allOf ?? [], ...schema.anyOf ?? [], ...schema.oneOf ?? [], schema.items].filter(Boolean)) members(part, where)
}
// An example is right, and has the members of an answer that came. One of an
// error says what the server says.
const exemplary = (schema, value, where) => {
  const check = compile(schema)
  if (!check(value)) finding(`${where}: ${fault(check)}`)
  const plain = body => value.cspErrorCode ? { ...body, requestId: '', traceId: '' } : Object.keys(body).sort()
  const same = a => {
    try { return isDeepStrictEqual(plain(JSON.parse(a.answer)), plain(value)) } catch { return false }
  }
  if (!answers.some(same)) finding(`${where}: no answer is like it`)
}
for (const path of Object.keys(doc.paths)) {
  const item = follow(doc.paths[path])
  for (const method of methods) {
    const operation = item[method]
    if (!operation) continue
    for (const [status, response] of Object.entries(operation.responses)) {
      expect(path, method.toUpperCase(), status, follow(response))
      if (method === 'get' && status === '200' && !item['x-no-head']) expect(path, 'HEAD', status, follow(response))
    }
    const body = follow(operation.requestBody)
    for (const [type, media] of Object.entries(body?.content ?? {})) {
      for (const [name, example] of Object.entries(media.examples ?? {})) {
        const check = compile(media.schema)
        if (!check(follow(example).value)) finding(`the request of ${path}, ${type}, example ${name}: ${fault(check)}`)
      }
    }
  }
  expect(path, 'another method', 405, follow(item['x-other-methods']))
}
for (const a of answers) if (!doc.paths[a.path]) finding(`${a.path} is not documented`)

for (const text of findings) console.log(text)
console.log(`${answers.length} answers, ${count} documented: ${findings.length} findings`)
process.exitCode = findings.length ? 1 : 0

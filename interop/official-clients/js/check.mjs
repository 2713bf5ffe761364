// Drives the emulator with Scaleway's JavaScript SDK, unmodified.
//
//     check.mjs write FOLDER   checks the API, and leaves a ciphertext for the other clients
//     check.mjs open FOLDER    opens what every client left

import assert from 'node:assert/strict'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Errors, createClient } from '@scaleway/sdk-client'
import { KeyManagerv1alpha1 } from '@scaleway/sdk-key-manager'

const { env } = process
const keyId = env.SCW_KM_KEY_ID
const base64 = data => Buffer.from(data).toString('base64')
const associatedData = base64('handoff')
const plaintext = base64('one client writes, another reads')
const unknown = '11111111-2222-4333-8444-555555555555'

const profile = {
  accessKey: env.SCW_ACCESS_KEY,
  secretKey: env.SCW_SECRET_KEY,
  apiURL: env.SCW_API_URL,
  defaultOrganizationId: env.SCW_DEFAULT_ORGANIZATION_ID,
  defaultProjectId: env.SCW_DEFAULT_PROJECT_ID,
  defaultRegion: env.SCW_DEFAULT_REGION,
}
const api = new KeyManagerv1alpha1.API(createClient(profile))

let failures = 0
let passed = 0

async function check(name, action) {
  try {
    await action()
    passed += 1
    console.log(`ok ${name}`)
  } catch (error) {
    failures += 1
    console.log(`FAILED ${name}\n${error.stack}`)
  }
}

async function inject(rule) {
  const headers = { 'X-Auth-Token': env.SCW_SECRET_KEY }
  const body = JSON.stringify([rule])
  const answer = await fetch(`${env.SCW_API_URL}/emulator/faults`, { method: 'POST', headers, body })
  assert.equal(answer.status, 204)
}

const create = more =>
  api.createKey({ unprotected: true, usage: { symmetricEncryption: 'aes_256_gcm' }, ...more })

async function write(folder) {
  await check('a key lives its whole life', async () => {
    const rotationPolicy = { rotationPeriod: '2592000s' }
    const { id, ...key } = await create({ name: 'js', tags: ['a'], rotationPolicy })
    assert.deepEqual([key.state, key.rotationCount, key.protected], ['enabled', 1, false])
    assert.equal(key.rotationPolicy.nextRotationAt - key.createdAt, 30 * 86_400_000)
    const nextRotationAt = new Date('2099-01-01T00:00:00.500Z')
    const policy = { rotationPeriod: '86400s', nextRotationAt }
    const changed = await api.updateKey({ keyId: id, name: 'other', rotationPolicy: policy })
    assert.deepEqual(changed.rotationPolicy.nextRotationAt, nextRotationAt)
    assert.equal((await api.rotateKey({ keyId: id })).rotationCount, 2)
    assert.equal((await api.protectKey({ keyId: id })).protected, true)
    await assert.rejects(api.deleteKey({ keyId: id }), Errors.PreconditionFailedError)
    assert.equal((await api.unprotectKey({ keyId: id })).protected, false)
    assert.equal((await api.disableKey({ keyId: id })).state, 'disabled')
    await assert.rejects(api.encrypt({ keyId: id, plaintext }), Errors.PreconditionFailedError)
    assert.equal((await api.enableKey({ keyId: id })).state, 'enabled')
    assert.equal(await api.deleteKey({ keyId: id }), undefined)
    assert.equal((await api.getKey({ keyId: id })).state, 'scheduled_for_deletion')
    assert.equal((await api.restoreKey({ keyId: id })).state, 'enabled')
  })

  await check('lists walk all pages', async () => {
    for (let number = 0; number < 45; number += 1) await create({ name: 'page', tags: ['js-list'] })
    const request = { scheduledForDeletion: false, tags: ['js-list'] }
    const all = await api.listKeys(request).all()
    assert.equal(new Set(all.map(key => key.id)).size, 45)
    const page = await api.listKeys({ ...request, page: 3, pageSize: 20 })
    assert.deepEqual([page.keys.length, page.totalCount], [5, 45])
    for (const key of all) await api.deleteKey({ keyId: key.id })
    assert.equal((await api.listKeys(request)).totalCount, 0)
  })

  await check('the nine pairs of spellings of no associated data are one', async () => {
    const spellings = [{}, { associatedData: '' }, { associatedData: null }]
    for (const sealing of spellings) {
      const { ciphertext } = await api.encrypt({ keyId, plaintext, ...sealing })
      for (const opening of spellings) {
        const opened = await api.decrypt({ keyId, ciphertext, ...opening })
        assert.equal(opened.plaintext, plaintext)
      }
    }
  })

  await check('old ciphertexts come back under the newest rotation', async () => {
    const { id } = await create({ name: 'rewrap' })
    const old = await api.encrypt({ keyId: id, plaintext, associatedData })
    await api.rotateKey({ keyId: id })
    const renewed = await api.decrypt({ keyId: id, ciphertext: old.ciphertext, associatedData })
    const again = await api.decrypt({ keyId: id, ciphertext: renewed.ciphertext, associatedData })
    assert.equal(again.plaintext, plaintext)
    assert.equal(again.ciphertext, null)
  })

  await check('data keys come with and without plaintext', async () => {
    const key = await api.generateDataKey({ keyId, withoutPlaintext: false })
    assert.equal(Buffer.from(key.plaintext, 'base64').length, 32)
    assert.equal((await api.decrypt({ keyId, ciphertext: key.ciphertext })).plaintext, key.plaintext)
    const bare = await api.generateDataKey({ keyId, withoutPlaintext: true, algorithm: 'aes_256_gcm' })
    assert.equal(bare.plaintext, null)
  })

  await check('material, signatures and public keys', async () => {
    const { id } = await create({ name: 'imported', origin: 'external' })
    const keyMaterial = base64(Buffer.alloc(32, 1))
    assert.equal((await api.importKeyMaterial({ keyId: id, keyMaterial })).state, 'enabled')
    assert.equal(await api.deleteKeyMaterial({ keyId: id }), undefined)
    const usage = { asymmetricSigning: 'rsa_pss_2048_sha256' }
    const signer = await api.createKey({ unprotected: true, usage })
    const digest = base64(Buffer.alloc(32, 2))
    const { signature } = await api.sign({ keyId: signer.id, digest })
    assert.equal((await api.verify({ keyId: signer.id, digest, signature })).valid, true)
    const { pem } = await api.getPublicKey({ keyId: signer.id })
    assert.match(pem, /^-----BEGIN RSA PUBLIC KEY-----\n/)
    const { algorithms } = await api.listAlgorithms({ usages: ['symmetric_encryption'] })
    assert.deepEqual(algorithms.map(({ name }) => name), ['aes_256_gcm'])
  })

  await check('errors are typed', async () => {
    await assert.rejects(api.getKey({ keyId: unknown }), Errors.ResourceNotFoundError)
    await assert.rejects(api.encrypt({ keyId, plaintext: '' }), Errors.InvalidArgumentsError)
    const wrong = api.decrypt({ keyId, ciphertext: base64('x'.repeat(64)) })
    await assert.rejects(wrong, Errors.InvalidArgumentsError)
    const stranger = createClient({ ...profile, secretKey: unknown })
    const denied = new KeyManagerv1alpha1.API(stranger).getKey({ keyId })
    await assert.rejects(denied, Errors.DeniedAuthenticationError)
    const once = { operation: 'get-key', times: 1 }
    await inject({ fault: 'permissions-denied', ...once })
    await assert.rejects(api.getKey({ keyId }), Errors.PermissionsDeniedError)
    await inject({ fault: 'rate-limited-json', duration: '1s', ...once })
    await assert.rejects(api.getKey({ keyId }), Errors.TooManyRequestsError)
    assert.equal((await api.getKey({ keyId })).id, keyId)
  })

  await check('an answer of another content type is not taken', async () => {
    const content_type = 'application/json; charset=utf-8'
    await inject({ fault: 'wrong-content-type', content_type, operation: 'get-key', times: 1 })
    await assert.rejects(api.getKey({ keyId }))
  })

  await check('a ciphertext is left for the other clients', async () => {
    const { ciphertext } = await api.encrypt({ keyId, plaintext, associatedData })
    writeFileSync(join(folder, 'js.kms'), Buffer.from(ciphertext, 'base64'))
  })
}

async function open(folder) {
  for (const name of readdirSync(folder).filter(name => name.endsWith('.kms')).sort()) {
    await check(`opens ${name}`, async () => {
      const ciphertext = readFileSync(join(folder, name)).toString('base64')
      const opened = await api.decrypt({ keyId, ciphertext, associatedData })
      assert.equal(opened.plaintext, plaintext)
    })
  }
}

const [step, folder] = process.argv.slice(2)
await { write, open }[step](folder)
process.exit(failures > 0 || passed === 0 ? 1 : 0)

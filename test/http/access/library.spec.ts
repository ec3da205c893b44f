import { hashOf } from '../library/world.js';
import { LibraryThings } from './library-things.js';
import { describeAccess } from './matrix.js';

describeAccess('library', () => LibraryThings.prepare(), {
  'GET /v1/entities': (about) => ({ path: '/v1/entities', shows: about.world.of(about).entityId }),
  'POST /v1/entities': (about) => ({ path: '/v1/entities', json: { name: about.world.of(about).entity } }),
  'GET /v1/entities/{path}': (about) => ({ path: `/v1/entities/${about.world.of(about).entity}` }),
  'POST /v1/collections': (about) => ({
    path: '/v1/collections',
    json: { name: `new${about.serial}`, entity: about.world.of(about).entityId },
  }),
  'GET /v1/collections/{path}': (about) => ({
    path: `/v1/collections/${about.world.of(about).entity}/tools`,
  }),
  'POST /v1/containers': (about) => ({
    path: '/v1/containers',
    json: { name: `new${about.serial}`, collection: about.world.of(about).collectionId },
  }),
  'GET /v1/containers/{path}': (about) => ({ path: `/v1/containers/${about.world.of(about).place}` }),
  'POST /v1/images': (about) => ({
    path: '/v1/images',
    json: { hash: hashOf(Buffer.from(`new ${about.serial}`)), container: about.world.of(about).containerId },
  }),
  'GET /v1/images/{path}': (about) => ({ path: `/v1/images/${about.world.of(about).place}:latest` }),
  'DELETE /v1/images/{path}': async (about) => ({
    method: 'DELETE',
    path: `/v1/images/${about.world.of(about).place}:${await about.world.deletable(about)}`,
  }),
  'GET /v1/imagefile/{path}': (about) => ({ path: `/v1/imagefile/${about.world.of(about).place}:latest` }),
  'GET /v1/tags/{container}': (about) => ({ path: `/v1/tags/${about.world.of(about).containerId}` }),
  'GET /v2/tags/{container}': (about) => ({ path: `/v2/tags/${about.world.of(about).containerId}` }),
  'POST /v1/tags/{container}': (about) => ({
    path: `/v1/tags/${about.world.of(about).containerId}`,
    json: { Tag: `t${about.serial}`, ImageID: about.world.of(about).image.id },
  }),
  'POST /v2/tags/{container}': (about) => ({
    path: `/v2/tags/${about.world.of(about).containerId}`,
    json: { Arch: 'amd64', Tag: `t${about.serial}`, ImageID: about.world.of(about).image.id },
  }),
  'POST /v1/imagefile/{image}': async (about) => {
    const { imageId, bytes } = await about.world.announced(about);
    return { path: `/v1/imagefile/${imageId}`, body: bytes };
  },
  'POST /v2/imagefile/{image}': async (about) => {
    const { imageId, bytes } = await about.world.announced(about);
    return { path: `/v2/imagefile/${imageId}`, json: { filesize: bytes.length } };
  },
  'PUT /v2/imagefile/{image}/_complete': async (about) => {
    const { imageId } = await about.world.sent(about, 'single');
    return { method: 'PUT', path: `/v2/imagefile/${imageId}/_complete`, json: {} };
  },
  'POST /v2/imagefile/{image}/_multipart': async (about) => {
    const { imageId, bytes } = await about.world.announced(about);
    return { path: `/v2/imagefile/${imageId}/_multipart`, json: { filesize: bytes.length } };
  },
  'PUT /v2/imagefile/{image}/_multipart': async (about) => {
    const { imageId, uploadId } = await about.world.started(about, 'multipart');
    const json = { uploadID: uploadId, partNumber: 1 };
    return { method: 'PUT', path: `/v2/imagefile/${imageId}/_multipart`, json };
  },
  'PUT /v2/imagefile/{image}/_multipart_complete': async (about) => {
    const { imageId, uploadId } = await about.world.sent(about, 'multipart');
    const json = { uploadID: uploadId, completedParts: [{ partNumber: 1, token: '' }] };
    return { method: 'PUT', path: `/v2/imagefile/${imageId}/_multipart_complete`, json };
  },
  'PUT /v2/imagefile/{image}/_multipart_abort': async (about) => {
    const { imageId, uploadId } = await about.world.started(about, 'multipart');
    return {
      method: 'PUT',
      path: `/v2/imagefile/${imageId}/_multipart_abort`,
      json: { uploadID: uploadId },
    };
  },
  'PUT /v2/upload/{upload}/{part}': async (about) => {
    const { address, bytes } = await about.world.started(about, 'single');
    const path =
      about.object === 'proven' ? address : address.replace(/signature=.*/, `signature=${'A'.repeat(43)}`);
    return { method: 'PUT', path, body: bytes };
  },
  'GET /v1/search': (about) => ({
    path: '/v1/search?value=application',
    shows: about.world.of(about).containerId,
  }),
  'POST /v1/library/check': () => ({ path: '/v1/library/check', json: {} }),
  'GET /v1/library/damaged': () => ({ path: '/v1/library/damaged' }),
  'GET /v1/manage/collections/{entity}': (about) => ({
    path: `/v1/manage/collections/${about.world.of(about).entity}`,
  }),
  'GET /v1/manage/containers/{entity}/{collection}': (about) => ({
    path: `/v1/manage/containers/${about.world.of(about).entity}/tools`,
  }),
  'GET /v1/manage/images/{entity}/{collection}/{container}': (about) => ({
    path: `/v1/manage/images/${about.world.of(about).place}`,
  }),
  'GET /v1/manage/tags/{entity}/{collection}/{container}': (about) => ({
    path: `/v1/manage/tags/${about.world.of(about).place}`,
  }),
  'GET /v1/manage/signatures/{entity}/{collection}/{container}/{ref}': (about) => ({
    path: `/v1/manage/signatures/${about.world.of(about).place}/latest?arch=amd64`,
  }),
  'GET /v1/manage/details/{entity}/{collection}/{container}/{ref}': (about) => ({
    path: `/v1/manage/details/${about.world.of(about).place}/latest`,
  }),
  'GET /v1/manage/downloads/{entity}/{collection}/{container}': (about) => ({
    path: `/v1/manage/downloads/${about.world.of(about).place}`,
  }),
  'PATCH /v1/manage/entities/{entity}': (about) => ({
    method: 'PATCH',
    path: `/v1/manage/entities/${about.world.of(about).entity}`,
    json: { description: 'Tools' },
  }),
  'PATCH /v1/manage/collections/{entity}/{collection}': (about) => ({
    method: 'PATCH',
    path: `/v1/manage/collections/${about.world.of(about).entity}/tools`,
    json: { description: 'Tools' },
  }),
  'PATCH /v1/manage/containers/{entity}/{collection}/{container}': (about) => ({
    method: 'PATCH',
    path: `/v1/manage/containers/${about.world.of(about).place}`,
    json: { fullDescription: '# Tools' },
  }),
  'POST /v1/manage/retention/{entity}/{collection}/{container}': (about) => ({
    path: `/v1/manage/retention/${about.world.of(about).place}`,
    json: { rules: { keepLast: 1 } },
  }),
  'POST /v1/manage/retention/{entity}': (about) => ({
    path: `/v1/manage/retention/${about.world.of(about).entity}`,
    json: { rules: { keepLast: 1 } },
  }),
  // There is something in it.
  'DELETE /v1/manage/entities/{entity}': (about) => ({
    method: 'DELETE',
    path: `/v1/manage/entities/${about.world.of(about).entity}`,
  }),
  'DELETE /v1/manage/collections/{entity}/{collection}': (about) => ({
    method: 'DELETE',
    path: `/v1/manage/collections/${about.world.of(about).entity}/tools`,
  }),
  'DELETE /v1/manage/containers/{entity}/{collection}/{container}': async (about) => ({
    method: 'DELETE',
    path: `/v1/manage/containers/${await about.world.removable(about)}`,
  }),
  'DELETE /v1/manage/tags/{entity}/{collection}/{container}/{tag}': async (about) => ({
    method: 'DELETE',
    path: `/v1/manage/tags/${about.world.of(about).place}/${await about.world.removableTag(about)}`,
  }),
  'GET /v1/manage/stars': () => ({ path: '/v1/manage/stars' }),
  'PUT /v1/manage/stars/{entity}/{collection}/{container}': (about) => ({
    method: 'PUT',
    path: `/v1/manage/stars/${about.world.of(about).place}`,
  }),
  'DELETE /v1/manage/stars/{entity}/{collection}/{container}': (about) => ({
    method: 'DELETE',
    path: `/v1/manage/stars/${about.world.of(about).place}`,
  }),
  'GET /v1/manage/accounts/{account}': (about) => ({
    path: `/v1/manage/accounts/${about.object === 'own' && !about.missing ? about.caller.account : 'nobodys'}`,
  }),
  'PATCH /v1/manage/accounts/{account}': () => ({
    method: 'PATCH',
    path: '/v1/manage/accounts/somebody',
    json: { quota: 0 },
  }),
  'GET /v1/events': (about) => ({ path: `/v1/events?entity=${about.world.of(about).entity}` }),
  'GET /v1/manage/webhooks/{entity}': (about) => ({
    path: `/v1/manage/webhooks/${about.world.of(about).entity}`,
  }),
  'POST /v1/manage/webhooks/{entity}': async (about) => {
    await about.world.roomForWebhook(about);
    return {
      path: `/v1/manage/webhooks/${about.world.of(about).entity}`,
      json: { url: 'https://hooks.invalid/new' },
    };
  },
  'GET /v1/manage/webhooks/{entity}/{id}': async (about) => ({ path: await about.world.webhook(about) }),
  'PATCH /v1/manage/webhooks/{entity}/{id}': async (about) => ({
    method: 'PATCH',
    path: await about.world.webhook(about),
    json: { description: 'Hook' },
  }),
  'DELETE /v1/manage/webhooks/{entity}/{id}': async (about) => ({
    method: 'DELETE',
    path: await about.world.webhook(about),
  }),
  'GET /v1/manage/webhooks/{entity}/{id}/deliveries': async (about) => ({
    path: `${await about.world.webhook(about)}/deliveries`,
  }),
  'POST /v1/manage/webhooks/{entity}/{id}/ping': async (about) => ({
    method: 'POST',
    path: `${await about.world.webhook(about)}/ping`,
  }),
  'POST /v1/manage/webhooks/{entity}/{id}/deliveries/{delivery}/redeliver': async (about) => ({
    method: 'POST',
    path: await about.world.delivered(about),
  }),
  'GET /v1/oci-redirect': () => ({ path: '/v1/oci-redirect?namespace=a/b/c' }),
});

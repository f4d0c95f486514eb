import { GROUP_SCHEMA } from './groups.js';
import { USER_SCHEMA } from './users.js';

/** What SCIM clients ask before anything else: what this server can do, and what it keeps. */
export const PAGE_MAX = 200;

export function serviceProviderConfig(base: string) {
  return {
    schemas: ['urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig'],
    patch: { supported: true },
    bulk: { supported: false, maxOperations: 0, maxPayloadSize: 0 },
    filter: { supported: true, maxResults: PAGE_MAX },
    changePassword: { supported: true },
    sort: { supported: false },
    etag: { supported: false },
    authenticationSchemes: [
      { type: 'oauthbearertoken', name: 'API key', description: 'Authorization: Bearer tt_…', primary: true },
    ],
    meta: { resourceType: 'ServiceProviderConfig', location: `${base}/ServiceProviderConfig` },
  };
}

export function resourceTypes(base: string) {
  const one = (id: string, endpoint: string, schema: string) => ({
    schemas: ['urn:ietf:params:scim:schemas:core:2.0:ResourceType'],
    id,
    name: id,
    endpoint,
    schema,
    meta: { resourceType: 'ResourceType', location: `${base}/ResourceTypes/${id}` },
  });
  return [one('User', '/Users', USER_SCHEMA), one('Group', '/Groups', GROUP_SCHEMA)];
}

function attribute(name: string, type: string, more: Record<string, unknown> = {}) {
  return {
    name,
    type,
    multiValued: false,
    required: false,
    caseExact: false,
    mutability: 'readWrite',
    returned: 'default',
    uniqueness: 'none',
    ...more,
  };
}

const value = attribute('value', 'string');
const many = (name: string) =>
  attribute(name, 'complex', { multiValued: true, subAttributes: [value, attribute('type', 'string')] });

export function schemas(base: string) {
  const one = (id: string, name: string, attributes: readonly object[]) => ({
    schemas: ['urn:ietf:params:scim:schemas:core:2.0:Schema'],
    id,
    name,
    attributes,
    meta: { resourceType: 'Schema', location: `${base}/Schemas/${id}` },
  });
  return [
    one(USER_SCHEMA, 'User', [
      attribute('userName', 'string', { required: true, caseExact: true, uniqueness: 'server' }),
      attribute('displayName', 'string'),
      attribute('nickName', 'string'),
      attribute('name', 'complex', { subAttributes: [attribute('formatted', 'string')] }),
      attribute('active', 'boolean'),
      attribute('password', 'string', { mutability: 'writeOnly', returned: 'never' }),
      many('emails'),
      many('phoneNumbers'),
    ]),
    one(GROUP_SCHEMA, 'Group', [
      attribute('displayName', 'string', { required: true }),
      attribute('members', 'complex', { multiValued: true, subAttributes: [value] }),
    ]),
  ];
}

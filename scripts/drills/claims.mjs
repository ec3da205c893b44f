/** What proxies, single sign-on and frameworks put into requests, and what somebody may therefore try. */
export const CLAIMS = {
  'x-forwarded-for': '127.0.0.1, 198.51.100.7',
  'x-forwarded-host': 'evil.example.org',
  'x-forwarded-server': 'evil.example.org',
  'x-forwarded-proto': 'http',
  'x-forwarded-port': '1',
  'x-forwarded-prefix': '/evil',
  'x-forwarded-user': 'admin',
  'x-forwarded-email': 'admin@evil.example.org',
  'x-forwarded-groups': 'admin',
  'x-forwarded-access-token': 'admin',
  forwarded: 'for=192.0.2.60;host=evil.example.org;proto=http;by=127.0.0.1',
  'x-real-ip': '192.0.2.61',
  'x-client-ip': '192.0.2.62',
  'x-cluster-client-ip': '192.0.2.63',
  'true-client-ip': '192.0.2.64',
  'cf-connecting-ip': '192.0.2.65',
  'x-original-forwarded-for': '192.0.2.66',
  'x-host': 'evil.example.org',
  'x-user': 'admin',
  'x-user-id': 'admin',
  'x-username': 'admin',
  'x-user-roles': 'admin,administrator',
  'remote-user': 'admin',
  'x-remote-user': 'admin',
  'x-remote-group': 'system:masters',
  'x-auth-request-user': 'admin',
  'x-webauth-user': 'admin',
  'x-authenticated-user': 'admin',
  'x-authenticated-userid': 'admin',
  'x-admin': 'true',
  'x-internal': 'true',
  'x-service': 'worker',
  'x-ssl-client-verify': 'SUCCESS',
  'x-ssl-client-s-dn': 'CN=admin',
  'x-client-cert': 'CN=admin',
  'x-original-url': '/healthz',
  'x-rewrite-url': '/healthz',
  'x-original-method': 'GET',
  'x-http-method-override': 'GET',
  'x-http-method': 'GET',
  'x-method-override': 'GET',
  'x-auth-token': 'admin',
  'x-api-key': 'admin',
  cookie: 'user=admin; session=admin; token=admin',
};

/** Names of this machine and of others, as the `Host` of a request. */
export const HOSTS = ['evil.example.org', '127.0.0.1', 'localhost', 'auth.internal:1', '[::1]'];

/** Addresses that the claims name and that are nobody's here. */
export const CLAIMED_ADDRESSES = /192\.0\.2\.\d+|198\.51\.100\.\d+/;

/** The last address of `x-forwarded-for`: what a proxy that is believed says. */
export const FORWARDED_ADDRESS = '198.51.100.7';

// Whom we trust: the host's store of certificate authorities.

import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';

/** Where Linux distributions keep the bundle: Debian and Arch, Fedora and RHEL (twice), openSUSE, Alpine. */
export const SYSTEM_BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
] as const;

/** The certificates of a PEM text, each as one, without what stands between them. */
export function pemCertificates(text: string): string[] {
  return (
    text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g)?.map((pem) => `${pem}\n`) ?? []
  );
}

/** The system's bundle as PEM: the first that is there; '' when none is. */
export function systemBundle(root = '', paths: readonly string[] = SYSTEM_BUNDLES): string {
  for (const path of paths) {
    try {
      const pem = pemCertificates(readFileSync(root + path, 'latin1'));
      if (pem.length > 0) return pem.join('');
    } catch {}
  }
  return '';
}

/** All certificate authorities by which a server is judged: Node.js's own, the system's, and those of the configuration. */
export function trustedAuthorities(more: readonly string[]): string[] {
  return [
    ...new Set([
      ...rootCertificates.map((pem) => `${pem}\n`),
      ...pemCertificates(systemBundle()),
      ...more.flatMap(pemCertificates),
    ]),
  ];
}

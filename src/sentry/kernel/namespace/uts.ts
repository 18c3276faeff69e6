// The names of the system: uname(2), sethostname(2).

/** What uname(2) reports. Guests choose features by the release; 6.x is the interface that we implement. */
export class UtsNames {
  readonly sysname = 'Linux';
  nodename = 'vedette';
  readonly release = '6.12.0-vedette';
  readonly version = '#1 SMP PREEMPT_DYNAMIC Vedette';
  readonly machine = 'x86_64';
  domainname = '(none)';

  /** A new namespace starts with the old one's names. */
  clone(): UtsNames {
    const u = new UtsNames();
    u.nodename = this.nodename;
    u.domainname = this.domainname;
    return u;
  }
}

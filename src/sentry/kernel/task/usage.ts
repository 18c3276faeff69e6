// Resource usage: getrusage(2).

export class Usage {
  userNs = 0;
  systemNs = 0;
  minorFaults = 0;
  majorFaults = 0;
  /** Peak resident set in pages. */
  maxRssPages = 0;
  voluntarySwitches = 0;
  involuntarySwitches = 0;

  add(o: Usage): void {
    this.userNs += o.userNs;
    this.systemNs += o.systemNs;
    this.minorFaults += o.minorFaults;
    this.majorFaults += o.majorFaults;
    this.maxRssPages = Math.max(this.maxRssPages, o.maxRssPages);
    this.voluntarySwitches += o.voluntarySwitches;
    this.involuntarySwitches += o.involuntarySwitches;
  }

  reset(): void {
    this.userNs = 0;
    this.systemNs = 0;
    this.minorFaults = 0;
    this.majorFaults = 0;
    this.maxRssPages = 0;
    this.voluntarySwitches = 0;
    this.involuntarySwitches = 0;
  }
}

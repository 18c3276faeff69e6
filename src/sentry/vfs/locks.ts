export interface InodeLocks {
  releaseFile(f: object): void;
  releaseOwner(o: object): void;
}

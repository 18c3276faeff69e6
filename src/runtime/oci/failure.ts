// What a command of the OCI runtime ends with when it fails: a text that its callers look at. Those of
// https://github.com/opencontainers/runc, libcontainer/error.go, are what engines compare with.

export class RuntimeError extends Error {
  readonly status: number;
  constructor(message: string, status = 1) {
    super(message);
    this.status = status;
  }
}

export const NOT_EXIST = 'container does not exist';
export const EXISTS = 'container with given ID already exists';
export const NOT_RUNNING = 'container not running';

/** name_to_handle_at(2): <fcntl.h>. */

export const MAX_HANDLE_SZ = 128;

/** Layout of struct file_handle. */
export const SIZEOF_FILE_HANDLE = 8;
export const FILE_HANDLE_HANDLE_BYTES = 0;
export const FILE_HANDLE_HANDLE_TYPE = 4;

/** Followed by the handle's bytes. */
export type FileHandle = {
  handleBytes: number;
  handleType: number;
};

export function encodeFileHandle(view: DataView, off: number, s: FileHandle): void {
  view.setUint32(off + FILE_HANDLE_HANDLE_BYTES, s.handleBytes, true);
  view.setInt32(off + FILE_HANDLE_HANDLE_TYPE, s.handleType, true);
}

export function decodeFileHandle(view: DataView, off: number): FileHandle {
  return {
    handleBytes: view.getUint32(off + FILE_HANDLE_HANDLE_BYTES, true),
    handleType: view.getInt32(off + FILE_HANDLE_HANDLE_TYPE, true),
  };
}

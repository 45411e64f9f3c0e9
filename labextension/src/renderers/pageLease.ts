/**
 * Which of a browser's pages may change a notebook by itself. Two tabs with one notebook are two
 * copies of it; if both changed theirs, saving one would make a conflict of the other. The page
 * that came first holds a Web Lock until it closes.
 */

interface Lease {
  numHolders: number;
  isHeld: boolean;
  release: () => void;
}

const leases = new Map<string, Lease>();

/** Ask for a notebook's lease; call the answer's `dispose` once for it. */
export function acquireLease(path: string): { readonly isHeld: boolean; dispose(): void } {
  const lease = leases.get(path) ?? requestLease(path);
  lease.numHolders += 1;
  let isDisposed = false;
  return {
    get isHeld() {
      return lease.isHeld;
    },
    dispose() {
      if (isDisposed) {
        return;
      }
      isDisposed = true;
      lease.numHolders -= 1;
      if (lease.numHolders === 0) {
        leases.delete(path);
        lease.release();
      }
    }
  };
}

function requestLease(path: string): Lease {
  const lease: Lease = { numHolders: 0, isHeld: false, release: () => undefined };
  leases.set(path, lease);
  // Web Locks are missing on plain HTTP from another host: then every page may.
  if (!('locks' in navigator)) {
    lease.isHeld = true;
    return lease;
  }
  const released = new Promise<void>(resolve => {
    lease.release = resolve;
  });
  void navigator.locks.request(`twinkle-picture:${path}`, () => {
    lease.isHeld = true;
    return released;
  });
  return lease;
}

// What a task is doing: Task.state.

/** Runs guest code, or waits for the platform to do so. */
export const TASK_RUNNING = 0;
/** On the kernel's run queue: an event is handled or a parked call is to be retried. */
export const TASK_READY = 1;
/** Parked in a system call. */
export const TASK_BLOCKED = 2;
/** Job-control stop. */
export const TASK_STOPPED = 3;
/** Exited; its thread group may still be waited for. */
export const TASK_DEAD = 4;

import { randomBytes } from 'node:crypto';

const TASK_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** The id of a file transfer: 128 random bits in the shape of a UUID, as clients expect it. */
export function freshTaskId(): string {
  return randomBytes(16)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** Whether a text from outside can be a task id; what cannot is never looked up. */
export function isTaskId(text: string): boolean {
  return TASK_ID.test(text);
}

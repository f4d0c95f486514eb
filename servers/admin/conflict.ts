import { ImError } from '../../common/errors.js';
import { ProblemError } from './problem.js';

/** When somebody else was quicker the page is told how it is now, so that it can show both. */
export async function givenUp<T>(change: Promise<T>, current: () => Promise<unknown>): Promise<T> {
  try {
    return await change;
  } catch (error) {
    if (!(error instanceof ImError) || error.code !== 'CONFLICT') throw error;
    throw new ProblemError('CONFLICT', { current: await current() });
  }
}

import { ImError } from '../../../common/errors.js';
import { file, transfer } from '../../../common/pdu/commands.js';
import { IM } from '../../../common/pdu/pb.js';
import { isTaskId } from '../../../common/task-id.js';
import type { Course, Transfer, TransferContext } from './course.js';
import { Download } from './download.js';
import type { Party } from './party.js';
import { Relay } from './relay.js';
import { Upload } from './upload.js';

const { ClientFileRole, TransferFileType } = IM.BaseDefine;

/** The transfers under way here. Tasks are known to the db-proxies: after a restart whoever comes back goes on. */
export class Transfers {
  readonly #ctx: TransferContext;
  /** Online and uploads by task; every download has one of its own. */
  readonly #shared = new Map<string, Course>();
  readonly #courses = new Set<Course>();
  readonly #ofUser = new Map<number, number>();

  constructor(ctx: TransferContext) {
    this.#ctx = ctx;
  }

  get count(): number {
    return this.#courses.size;
  }

  /** Bytes of files that are in memory, but for those that wait in connections. */
  get buffered(): number {
    let sum = 0;
    for (const course of this.#courses) sum += course.buffered;
    return sum;
  }

  /** Lets a client into its task, or refuses it and closes. */
  async enter(party: Party, { userId, taskId, fileRole: role }: IM.File.IMFileLoginReq, seq: number): Promise<void> {
    party.enter({ userId, taskId, role });
    const { transfersPerUserMax: max } = this.#ctx.settings;
    const mine = this.#ofUser.get(userId) ?? 0;
    this.#ofUser.set(userId, mine + 1);
    try {
      if (mine >= max) throw new ImError('BUSY', `user ${userId} has ${max} connections already`);
      const there = this.#shared.get(taskId);
      let task = await this.#task(taskId);
      // If what was going on has ended while we were asking, the answer may be of before.
      if (there !== undefined && this.#shared.get(taskId) !== there) task = await this.#task(taskId);
      requireRole(task, userId, role);
      if (party.state !== 'entering') return; // gone while we were asking
      const course = this.#courseOf(task, role, party);
      party.state = 'in';
      party.send(file.enter.reply, seq, { resultCode: 0, taskId });
      party.course = course;
      course.joined(party);
    } catch (error) {
      const known = error instanceof ImError ? error.code : 'INTERNAL';
      this.#ctx.counters.refused.inc({ why: known });
      if (known === 'INTERNAL') this.#ctx.log.error({ userId, error }, 'a log-in to a task failed');
      party.send(file.enter.reply, seq, { resultCode: 1, taskId });
      party.close('login-refused');
    }
  }

  left(party: Party): void {
    if (party.place === undefined) return;
    const { userId } = party;
    const left = this.#ofUser.get(userId)! - 1;
    if (left > 0) this.#ofUser.set(userId, left);
    else this.#ofUser.delete(userId);
    const { course } = party;
    course?.left(party);
    if (course instanceof Download) this.#courses.delete(course);
  }

  async #task(taskId: string): Promise<Transfer> {
    if (!isTaskId(taskId)) throw new ImError('BAD_REQUEST', 'not the id of a task');
    const expiresMs = Date.now() + this.#ctx.settings.taskMs;
    const { transfer: found } = await this.#ctx.dbProxies.ask(transfer.get, { taskId, expiresMs });
    if (found === undefined) throw new ImError('NOT_ALLOWED', 'no such task');
    return found;
  }

  #courseOf(task: Transfer, role: IM.BaseDefine.ClientFileRole, party: Party): Course {
    if (role === ClientFileRole.CLIENT_OFFLINE_DOWNLOAD) return this.#added(new Download(this.#ctx, task, party));
    const { taskId } = task;
    const there = this.#shared.get(taskId);
    if (there?.isOver === true) throw new ImError('NOT_ALLOWED', 'the task is over');
    if (there !== undefined) return there;
    const over = () => {
      this.#shared.delete(taskId);
      this.#courses.delete(course);
    };
    const isUpload = role === ClientFileRole.CLIENT_OFFLINE_UPLOAD;
    const course: Course = isUpload ? new Upload(this.#ctx, task, over) : new Relay(this.#ctx, task, over);
    this.#shared.set(taskId, course);
    return this.#added(course);
  }

  #added(course: Course): Course {
    this.#courses.add(course);
    return course;
  }
}

/** @throws ImError NOT_ALLOWED when that user has not this part in the task, or there is nothing to be fetched yet */
function requireRole(task: Transfer, userId: number, role: IM.BaseDefine.ClientFileRole): void {
  const { CLIENT_REALTIME_SENDER, CLIENT_REALTIME_RECVER, CLIENT_OFFLINE_UPLOAD } = ClientFileRole;
  const sends = role === CLIENT_REALTIME_SENDER || role === CLIENT_OFFLINE_UPLOAD;
  if (userId !== (sends ? task.fromUserId : task.toUserId)) throw new ImError('NOT_ALLOWED', 'not his part');
  const online = role === CLIENT_REALTIME_SENDER || role === CLIENT_REALTIME_RECVER;
  if (online !== (task.transMode === TransferFileType.FILE_TYPE_ONLINE))
    throw new ImError('NOT_ALLOWED', 'not a part in this kind of transfer');
  if (!online && !sends && task.stored !== true) throw new ImError('NOT_ALLOWED', 'not stored yet');
}

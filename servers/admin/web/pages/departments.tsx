import { useRef, useState } from 'preact/hooks';
import type { Department } from '../../api.js';
import { ApiError, api, may } from '../client.js';
import { number, t } from '../texts/index.js';
import { say, sure } from '../ui/ask.js';
import { ConflictDialog } from '../ui/conflict.js';
import { Icon } from '../ui/icons.js';
import {
  Button,
  Dialog,
  Failure,
  Loading,
  Mark,
  Nothing,
  Page,
  Said,
  Select,
  SignButton,
  TextField,
} from '../ui/parts.js';
import { useAction } from '../ui/use-action.js';
import { useLoad } from '../use-load.js';
import { type Branch, choicesOf, flat, treeOf } from './departments-data.js';

/** Where something that is dragged would go. */
interface Aim {
  readonly id: number;
  readonly where: 'before' | 'into' | 'after';
}

/** The departments as a tree: moved with the mouse or with Alt and the arrow keys. */
export function DepartmentsPage() {
  const { data, error, reload } = useLoad(() => api<Department[]>('GET', '/api/departments'), []);
  const [open, setOpen] = useState<Department | { readonly parentId: number } | undefined>(undefined);
  const action = useAction();
  /** Puts it under `parentId` at this place among the others there; all get their numbers anew where they differ. */
  const place = (moved: Department, parentId: number, index: number) =>
    action
      .run(async () => {
        const others = siblingsOf(data ?? [], parentId).filter((each) => each.departmentId !== moved.departmentId);
        const order = [...others.slice(0, index), moved, ...others.slice(index)];
        for (const [i, each] of order.entries()) {
          const priority = i + 1;
          const isMoved = each === moved;
          if (each.priority === priority && (!isMoved || each.parentId === parentId)) continue;
          const change = isMoved ? { parentId, priority } : { priority };
          await api('PATCH', `/api/departments/${each.departmentId}`, { version: each.version, ...change });
        }
      })
      .finally(reload);
  return (
    <Page
      title={t('departments.title')}
      about={may('directory.change') ? t('departments.about') : t('departments.aboutRead')}
      actions={
        may('directory.change') && (
          <Button kind="main" icon="plus" onClick={() => setOpen({ parentId: 0 })}>
            {t('departments.new')}
          </Button>
        )
      }
    >
      {(error ?? action.error) && <Failure error={(error ?? action.error)!} retry={reload} />}
      <section class="sheet" aria-busy={action.busy}>
        {data === undefined ? (
          error === undefined && <Loading />
        ) : data.length === 0 ? (
          <Nothing text={t('departments.none')} icon="tree" />
        ) : (
          <Tree departments={data} open={setOpen} place={place} />
        )}
      </section>
      {open !== undefined && (
        <DepartmentDialog department={open} all={data ?? []} changed={reload} onClose={() => setOpen(undefined)} />
      )}
    </Page>
  );
}

function siblingsOf(departments: readonly Department[], parentId: number): Department[] {
  return departments
    .filter((each) => each.parentId === parentId)
    .sort((a, b) => a.priority - b.priority || a.departmentId - b.departmentId);
}

interface TreeProps {
  readonly departments: readonly Department[];
  open(department: Department | { readonly parentId: number }): void;
  place(moved: Department, parentId: number, index: number): Promise<void>;
}

function Tree({ departments, open, place }: TreeProps) {
  const [closed, setClosed] = useState<ReadonlySet<number>>(new Set());
  const [focused, setFocused] = useState<number | undefined>(undefined);
  const [dragged, setDragged] = useState<Department | undefined>(undefined);
  const [aim, setAim] = useState<Aim | undefined>(undefined);
  const root = useRef<HTMLDivElement>(null);
  const branches = treeOf(departments);
  const visible = (list: readonly Branch[]): Branch[] =>
    list.flatMap((branch) => [branch, ...(closed.has(branch.department.departmentId) ? [] : visible(branch.children))]);
  const rows = visible(branches);
  const current = rows.find((row) => row.department.departmentId === focused) ?? rows[0]!;
  const toggle = (id: number, isClosed: boolean) => {
    const next = new Set(closed);
    if (isClosed) next.add(id);
    else next.delete(id);
    setClosed(next);
  };
  const focus = (branch: Branch | undefined) => {
    if (branch === undefined) return;
    setFocused(branch.department.departmentId);
    root.current?.querySelector<HTMLElement>(`[data-id="${branch.department.departmentId}"]`)?.focus();
  };
  /** With Alt an arrow moves the department, alone it moves the focus. */
  const key = (event: KeyboardEvent) => {
    const { department, children } = current;
    const id = department.departmentId;
    const at = rows.indexOf(current);
    const siblings = siblingsOf(departments, department.parentId);
    const index = siblings.findIndex((each) => each.departmentId === id);
    const parent = departments.find((each) => each.departmentId === department.parentId);
    const mayMove = event.altKey && may('directory.change');
    const acts: Record<string, () => void> = mayMove
      ? {
          ArrowUp: () => index > 0 && void place(department, department.parentId, index - 1),
          ArrowDown: () => index < siblings.length - 1 && void place(department, department.parentId, index + 1),
          ArrowRight: () => {
            const above = siblings[index - 1];
            if (above !== undefined)
              void place(department, above.departmentId, siblingsOf(departments, above.departmentId).length);
          },
          ArrowLeft: () => {
            if (parent === undefined) return;
            const uncles = siblingsOf(departments, parent.parentId);
            void place(
              department,
              parent.parentId,
              uncles.findIndex((each) => each.departmentId === parent.departmentId) + 1,
            );
          },
        }
      : {
          ArrowUp: () => focus(rows[at - 1]),
          ArrowDown: () => focus(rows[at + 1]),
          ArrowRight: () => (closed.has(id) ? toggle(id, false) : focus(children[0])),
          ArrowLeft: () =>
            children.length > 0 && !closed.has(id)
              ? toggle(id, true)
              : focus(rows.find((row) => row.department.departmentId === department.parentId)),
          Home: () => focus(rows[0]),
          End: () => focus(rows.at(-1)),
          Enter: () => open(department),
        };
    const act = acts[event.key];
    // Buttons in a row have keys of their own.
    if (act === undefined || (event.target as Element).closest('button, a') !== null) return;
    event.preventDefault();
    act();
  };
  const drop = () => {
    if (dragged === undefined || aim === undefined) return;
    const target = departments.find((each) => each.departmentId === aim.id)!;
    setDragged(undefined);
    setAim(undefined);
    if (aim.where === 'into') return void place(dragged, aim.id, siblingsOf(departments, aim.id).length);
    const others = siblingsOf(departments, target.parentId).filter(
      (each) => each.departmentId !== dragged.departmentId,
    );
    const index = others.findIndex((each) => each.departmentId === aim.id) + (aim.where === 'after' ? 1 : 0);
    void place(dragged, target.parentId, index);
  };
  const below = (id: number) =>
    new Set(flat(branches.length === 0 ? [] : findBranch(branches, id)).map((each) => each.department.departmentId));
  /** One after the other: which is in which is said by their levels, so the name of a row is the row and nothing below it. */
  const render = () =>
    rows.map(({ department, level, children }) => {
      const id = department.departmentId;
      const siblings = siblingsOf(departments, department.parentId);
      const isOpen = !closed.has(id);
      return (
        <div
          key={id}
          role="treeitem"
          data-id={id}
          tabIndex={id === current.department.departmentId ? 0 : -1}
          aria-level={level + 1}
          aria-setsize={siblings.length}
          aria-posinset={siblings.indexOf(department) + 1}
          aria-expanded={children.length > 0 ? isOpen : undefined}
          aria-selected={id === current.department.departmentId}
          onFocus={() => setFocused(id)}
        >
          {/* biome-ignore lint/a11y/noStaticElementInteractions: the mouse's way; the keys are the tree's */}
          <div
            class={`row ${aim?.id === id ? aim.where : ''}`}
            style={{ '--level': level }}
            draggable={may('directory.change')}
            onDragStart={(event) => {
              event.dataTransfer?.setData('text/plain', department.name);
              setDragged(department);
            }}
            onDragEnd={() => {
              setDragged(undefined);
              setAim(undefined);
            }}
            onDragOver={(event) => {
              if (dragged === undefined || below(dragged.departmentId).has(id)) return;
              event.preventDefault();
              const box = event.currentTarget.getBoundingClientRect();
              const share = (event.clientY - box.top) / box.height;
              setAim({ id, where: share < 0.3 ? 'before' : share > 0.7 ? 'after' : 'into' });
            }}
            onDrop={(event) => {
              event.preventDefault();
              drop();
            }}
          >
            {children.length > 0 ? (
              <button
                type="button"
                class={`turn ${isOpen ? 'open' : ''}`}
                tabIndex={-1}
                aria-hidden="true"
                onClick={() => toggle(id, isOpen)}
              >
                <Icon name="next" />
              </button>
            ) : (
              <span class="turn" />
            )}
            <span class="name">
              <Said text={department.name} />
            </span>
            <a class="mark" href={`/users?department=${id}`} tabIndex={-1}>
              {t('departments.people', { count: number(department.people) })}
            </a>
            {may('directory.change') && (
              <>
                <SignButton
                  icon="plus"
                  label={t('departments.newIn', { name: department.name })}
                  onClick={() => open({ parentId: id })}
                />
                <Button
                  kind="bare"
                  small
                  aria-label={t('departments.editOne', { name: department.name })}
                  onClick={() => open(department)}
                >
                  {t('edit')}
                </Button>
              </>
            )}
          </div>
        </div>
      );
    });
  return (
    <div class="tree" role="tree" aria-label={t('departments.title')} ref={root} onKeyDown={key}>
      {render()}
    </div>
  );
}

/** The branch of a department, in a list of its own. */
function findBranch(branches: readonly Branch[], id: number): readonly Branch[] {
  for (const branch of branches) {
    if (branch.department.departmentId === id) return [branch];
    const found = findBranch(branch.children, id);
    if (found.length > 0) return found;
  }
  return [];
}

interface DialogProps {
  readonly department: Department | { readonly parentId: number };
  readonly all: readonly Department[];
  changed(): void;
  onClose(): void;
}

function DepartmentDialog({ department, all, changed, onClose }: DialogProps) {
  const known = 'departmentId' in department ? department : undefined;
  const [name, setName] = useState(known?.name ?? '');
  const [parentId, setParentId] = useState(department.parentId);
  const [theirs, setTheirs] = useState<Department | undefined>(undefined);
  const action = useAction();
  const done = () => {
    say(t('saved'));
    changed();
    onClose();
  };
  const send = (change: object, version = known?.version) =>
    action.run(async () => {
      try {
        if (known === undefined) {
          const priority = siblingsOf(all, parentId).length + 1;
          await api('POST', '/api/departments', { name, parentId, priority });
        } else await api('PATCH', `/api/departments/${known.departmentId}`, { version, ...change });
        done();
      } catch (error) {
        if (!(error instanceof ApiError) || error.problem.code !== 'CONFLICT') throw error;
        setTheirs((error.problem as { current?: Department }).current);
        if ((error.problem as { current?: Department }).current === undefined) throw error;
      }
    });
  const remove = async () => {
    if (
      await sure({
        title: t('departments.removeSure', { name: known!.name }),
        text: t('departments.removeText'),
        yes: t('delete'),
      })
    )
      await send({ remove: true });
  };
  const own =
    known === undefined
      ? new Set<number>()
      : new Set(flat(findBranch(treeOf(all), known.departmentId)).map((each) => each.department.departmentId));
  const parents = [
    { value: '0', label: t('departments.top') },
    ...choicesOf(all).filter(({ value }) => !own.has(Number(value))),
  ];
  const nameOf = (id: number) => all.find((each) => each.departmentId === id)?.name ?? t('departments.top');
  return (
    <Dialog title={known === undefined ? t('departments.new') : <Said text={known.name} />} onClose={onClose}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void send({ name, parentId });
        }}
      >
        {action.error && <Failure error={action.error} />}
        <TextField
          label={t('departments.name')}
          value={name}
          onValue={setName}
          maxLength={64}
          required
          autoComplete="off"
        />
        <Select
          label={t('departments.parent')}
          value={String(parentId)}
          choices={parents}
          onValue={(value) => setParentId(Number(value))}
        />
        {known !== undefined && (
          <p>
            <Mark>{t('departments.people', { count: number(known.people) })}</Mark>
          </p>
        )}
        <div class="spread">
          <div>
            {known !== undefined && (
              <Button kind="danger" busy={action.busy} onClick={() => void remove()}>
                {t('delete')}
              </Button>
            )}
          </div>
          <Button kind="main" type="submit" busy={action.busy}>
            {known === undefined ? t('add') : t('save')}
          </Button>
        </div>
      </form>
      {theirs !== undefined && (
        <ConflictDialog
          differences={[
            { label: t('departments.name'), mine: name, theirs: theirs.name },
            { label: t('departments.parent'), mine: nameOf(parentId), theirs: nameOf(theirs.parentId) },
          ]}
          keepMine={() => {
            const { version } = theirs;
            setTheirs(undefined);
            void send({ name, parentId }, version);
          }}
          takeTheirs={done}
          onClose={() => setTheirs(undefined)}
        />
      )}
    </Dialog>
  );
}

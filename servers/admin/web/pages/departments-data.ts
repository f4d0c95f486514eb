import type { Department } from '../../api.js';

/** A department with what is in it. */
export interface Branch {
  readonly department: Department;
  readonly level: number;
  readonly children: readonly Branch[];
}

/** The departments as a tree; one whose parent is gone stands at the top. */
export function treeOf(departments: readonly Department[]): readonly Branch[] {
  const known = new Set(departments.map((each) => each.departmentId));
  const parentOf = (each: Department) => (known.has(each.parentId) ? each.parentId : 0);
  const branches = (parentId: number, level: number): Branch[] =>
    departments
      .filter((each) => parentOf(each) === parentId)
      .sort((a, b) => a.priority - b.priority || a.departmentId - b.departmentId)
      .map((department) => ({ department, level, children: branches(department.departmentId, level + 1) }));
  return branches(0, 0);
}

/** In the order in which they are shown. */
export function flat(branches: readonly Branch[]): Branch[] {
  return branches.flatMap((branch) => [branch, ...flat(branch.children)]);
}

/** As choices for a list, indented. */
export function choicesOf(departments: readonly Department[] | undefined): { value: string; label: string }[] {
  return flat(treeOf(departments ?? [])).map(({ department, level }) => ({
    value: String(department.departmentId),
    label: `${'\u2003'.repeat(level)}${department.name}`,
  }));
}

import type { PageRow } from '../shell.js';
import { AccountPage } from './account.js';
import { AdminsPage } from './admins.js';
import { AnnouncementsPage } from './announcements.js';
import { AuditPage } from './audit.js';
import { ClientsPage } from './clients.js';
import { DepartmentsPage } from './departments.js';
import { ExportsPage } from './exports.js';
import { FilesPage } from './files.js';
import { GroupsPage } from './groups.js';
import { IntegrationsPage } from './integrations.js';
import { LimitsPage } from './limits.js';
import { OverviewPage } from './overview.js';
import { PushesPage } from './pushes.js';
import { StoragePage } from './storage.js';
import { TracePage } from './trace.js';
import { UsersPage } from './users.js';

/** All pages, in the order of the menu. */
export const pages: readonly PageRow[] = [
  { path: '/', title: 'overview.title', icon: 'overview', section: 'nav.watch', needs: 'look', page: OverviewPage },
  { path: '/trace', title: 'trace.title', icon: 'trace', section: 'nav.watch', needs: 'trace', page: TracePage },
  { path: '/users', title: 'users.title', icon: 'users', section: 'nav.people', needs: 'look', page: UsersPage },
  {
    path: '/departments',
    title: 'departments.title',
    icon: 'tree',
    section: 'nav.people',
    needs: 'look',
    page: DepartmentsPage,
  },
  { path: '/groups', title: 'groups.title', icon: 'groups', section: 'nav.people', needs: 'look', page: GroupsPage },
  {
    path: '/announcements',
    title: 'announce.title',
    icon: 'announce',
    section: 'nav.people',
    needs: 'announce',
    page: AnnouncementsPage,
  },
  {
    path: '/clients',
    title: 'clients.title',
    icon: 'discovery',
    section: 'nav.clients',
    needs: 'look',
    page: ClientsPage,
  },
  {
    path: '/storage',
    title: 'storage.title',
    icon: 'storage',
    section: 'nav.system',
    needs: 'storage.look',
    page: StoragePage,
  },
  {
    path: '/files',
    title: 'files.title',
    icon: 'file',
    section: 'nav.system',
    needs: 'storage.look',
    page: FilesPage,
  },
  {
    path: '/limits',
    title: 'limits.title',
    icon: 'settings',
    section: 'nav.system',
    needs: 'look',
    page: LimitsPage,
  },
  {
    path: '/pushes',
    title: 'pushes.title',
    icon: 'push',
    section: 'nav.clients',
    needs: 'look',
    page: PushesPage,
  },
  {
    path: '/integrations',
    title: 'integrations.title',
    icon: 'hook',
    section: 'nav.clients',
    needs: 'integrations.look',
    page: IntegrationsPage,
  },
  { path: '/audit', title: 'audit.title', icon: 'audit', section: 'nav.system', needs: 'audit.look', page: AuditPage },
  {
    path: '/exports',
    title: 'exports.title',
    icon: 'out',
    section: 'nav.system',
    needs: 'export.look',
    page: ExportsPage,
  },
  {
    path: '/admins',
    title: 'admins.title',
    icon: 'admins',
    section: 'nav.system',
    needs: 'admins.look',
    page: AdminsPage,
  },
  { path: '/account', title: 'account.title', icon: 'account', section: undefined, needs: 'look', page: AccountPage },
];

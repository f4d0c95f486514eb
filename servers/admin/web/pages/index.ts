import type { PageRow } from '../shell.js';
import { AccountPage } from './account.js';
import { AdminsPage } from './admins.js';
import { OverviewPage } from './overview.js';

/** All pages, in the order of the menu. */
export const pages: readonly PageRow[] = [
  { path: '/', title: 'overview.title', icon: 'overview', section: 'nav.watch', needs: 'look', page: OverviewPage },
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

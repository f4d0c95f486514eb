import { accountRoutes } from './handlers/account.js';
import { adminRoutes } from './handlers/admins.js';
import { announcementRoutes } from './handlers/announcements.js';
import { auditRoutes } from './handlers/audit.js';
import { departmentRoutes } from './handlers/departments.js';
import { exportRoutes } from './handlers/exports.js';
import { fileRoutes } from './handlers/files.js';
import { groupRoutes } from './handlers/groups.js';
import { integrationRoutes } from './handlers/integrations.js';
import { limitRoutes } from './handlers/limits.js';
import { meRoutes } from './handlers/me.js';
import { overviewRoutes } from './handlers/overview.js';
import { pushRoutes } from './handlers/pushes.js';
import { settingRoutes } from './handlers/settings.js';
import { signInRoutes } from './handlers/sign-in.js';
import { storageRoutes } from './handlers/storage.js';
import { traceRoutes } from './handlers/trace.js';
import { userListRoutes } from './handlers/user-lists.js';
import { userRoutes } from './handlers/users.js';
import type { Route } from './route.js';

/** All that can be asked of the console, a row each. */
export const routes: readonly Route[] = [
  ...accountRoutes,
  ...signInRoutes,
  ...meRoutes,
  ...overviewRoutes,
  ...userListRoutes,
  ...userRoutes,
  ...departmentRoutes,
  ...groupRoutes,
  ...announcementRoutes,
  ...settingRoutes,
  ...limitRoutes,
  ...pushRoutes,
  ...storageRoutes,
  ...fileRoutes,
  ...traceRoutes,
  ...exportRoutes,
  ...integrationRoutes,
  ...auditRoutes,
  ...adminRoutes,
];

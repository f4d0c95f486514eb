import { accountRoutes } from './handlers/account.js';
import { adminRoutes } from './handlers/admins.js';
import { overviewRoutes } from './handlers/overview.js';
import type { Route } from './route.js';

/** All that can be asked of the console, a row each. */
export const routes: readonly Route[] = [...accountRoutes, ...overviewRoutes, ...adminRoutes];

import type { ComponentType } from 'preact';
import { useState } from 'preact/hooks';
import type { Permission } from '../permissions.js';
import { logOut, may, session } from './client.js';
import icon from './icon.svg';
import { path } from './location.js';
import { language, type Theme, theme } from './preferences.js';
import { type Key, type Language, t } from './texts/index.js';
import { Icon, type IconName } from './ui/icons.js';
import { Button, Face, Nothing, Page, Said, Select, SignButton } from './ui/parts.js';

/** A page, where it stands in the menu, and who sees it. */
export interface PageRow {
  readonly path: string;
  readonly title: Key;
  readonly icon: IconName;
  readonly section: 'nav.watch' | 'nav.people' | 'nav.clients' | 'nav.system' | undefined;
  readonly needs: Permission;
  readonly page: ComponentType;
}

const SECTIONS = ['nav.watch', 'nav.people', 'nav.clients', 'nav.system'] as const;

/** Menu beside, page in the middle. */
export function Shell({ pages }: { pages: readonly PageRow[] }) {
  const [open, setOpen] = useState(false);
  const allowed = pages.filter((page) => may(page.needs));
  const current = allowed.find((page) => page.path === path.value);
  return (
    <div class="shell">
      <a class="button main skip" href="#page">
        {t('skip')}
      </a>
      <div class="top-bar">
        <Brand />
        <SignButton
          icon={open ? 'close' : 'menu'}
          label={t('menu')}
          aria-expanded={open}
          aria-controls="menu"
          onClick={() => setOpen(!open)}
        />
      </div>
      <aside id="menu" class={`side ${open ? 'open' : ''}`}>
        <Brand />
        {/* Following a link closes the menu of a phone. */}
        <nav aria-label={t('menu')} onClickCapture={() => setOpen(false)}>
          {SECTIONS.map((section) => {
            const rows = allowed.filter((page) => page.section === section);
            return rows.length === 0 ? null : (
              <div key={section}>
                <h2>{t(section)}</h2>
                <ul>
                  {rows.map((row) => (
                    <li key={row.path}>
                      <a href={row.path} aria-current={row === current ? 'page' : undefined}>
                        <Icon name={row.icon} />
                        {t(row.title)}
                      </a>
                    </li>
                  ))}
                </ul>
              </div>
            );
          })}
        </nav>
        <div class="me">
          <a class="person" href="/account" onClick={() => setOpen(false)}>
            <Face name={session.value!.admin.name} />
            <div>
              <Said text={session.value!.admin.name} />
              <span class="soft small-text">{t(`role.${session.value!.admin.role}`)}</span>
            </div>
          </a>
          <Preferences />
          <Button small icon="out" onClick={() => void logOut()}>
            {t('login.out')}
          </Button>
        </div>
      </aside>
      <main class="page" id="page" tabIndex={-1}>
        {current === undefined ? (
          <Page title={t('problem.NOT_FOUND')}>
            <div class="sheet">
              <Nothing text={path.value} />
            </div>
          </Page>
        ) : (
          <current.page key={current.path} />
        )}
      </main>
    </div>
  );
}

function Brand() {
  return (
    <a class="brand" href="/">
      <img src={icon} alt="" />
      {t('product')}
    </a>
  );
}

const THEMES: readonly Theme[] = ['system', 'light', 'dark'];

export function Preferences() {
  return (
    <div class="choices">
      <Select
        bare
        label={t('language')}
        value={language.value}
        choices={[
          { value: 'en', label: 'English' },
          { value: 'zh', label: '中文' },
        ]}
        onValue={(value) => {
          language.value = value as Language;
        }}
      />
      <Select
        bare
        label={t('theme')}
        value={theme.value}
        choices={THEMES.map((value) => ({ value, label: t(`theme.${value}`) }))}
        onValue={(value) => {
          theme.value = value as Theme;
        }}
      />
    </div>
  );
}

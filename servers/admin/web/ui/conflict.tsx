import { t } from '../texts/index.js';
import { Button, Dialog, Said } from './parts.js';

export interface Difference {
  readonly label: string;
  readonly mine: string;
  readonly theirs: string;
}

/** Two people have changed the same thing: the later one sees both and chooses. */
export function ConflictDialog({
  differences,
  keepMine,
  takeTheirs,
  onClose,
}: {
  differences: readonly Difference[];
  keepMine(): void;
  takeTheirs(): void;
  onClose(): void;
}) {
  return (
    <Dialog title={t('conflict.title')} wide onClose={onClose}>
      <div class="stack">
        <p>{t('conflict.text')}</p>
        <table>
          <thead>
            <tr>
              <th>{t('conflict.field')}</th>
              <th>{t('conflict.mine')}</th>
              <th>{t('conflict.theirs')}</th>
            </tr>
          </thead>
          <tbody>
            {differences
              .filter(({ mine, theirs }) => mine !== theirs)
              .map(({ label, mine, theirs }) => (
                <tr key={label}>
                  <td>{label}</td>
                  <td>
                    <Said text={mine} />
                  </td>
                  <td>
                    <Said text={theirs} />
                  </td>
                </tr>
              ))}
          </tbody>
        </table>
        <div class="actions end">
          <Button onClick={takeTheirs}>{t('conflict.takeTheirs')}</Button>
          <Button kind="main" onClick={keepMine}>
            {t('conflict.keepMine')}
          </Button>
        </div>
      </div>
    </Dialog>
  );
}

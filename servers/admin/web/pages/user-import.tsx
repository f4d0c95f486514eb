import { useState } from 'preact/hooks';
import type { ImportReport } from '../../api.js';
import { api } from '../client.js';
import { has, number, t } from '../texts/index.js';
import { say } from '../ui/ask.js';
import { Button, Check, Dialog, Failure, Field, Mark, Notice, Said } from '../ui/parts.js';
import { useAction } from '../ui/use-action.js';

/** Many people out of a file: looked at first, then brought in. */
export function ImportDialog({ onClose, done }: { onClose(): void; done(): void }) {
  const [file, setFile] = useState<File | undefined>(undefined);
  const [update, setUpdate] = useState(false);
  const [trial, setTrial] = useState<ImportReport | undefined>(undefined);
  const [result, setResult] = useState<ImportReport | undefined>(undefined);
  const action = useAction();
  const send = (dryRun: boolean) =>
    action.run(async () => {
      const report = await api<ImportReport>(
        'POST',
        `/api/users/import?dryRun=${dryRun ? 1 : 0}&update=${update ? 1 : 0}`,
        file,
      );
      if (dryRun) return setTrial(report);
      setResult(report);
      say(t('import.done', { count: number(report.created + report.updated) }));
      done();
    });
  const shown = result ?? trial;
  return (
    <Dialog title={t('users.import')} wide onClose={onClose}>
      <div class="stack">
        <p class="soft">
          {t('import.about')}{' '}
          <code>name, nick, domain, sex, phone, email, avatar, department, status, signature, password</code>
        </p>
        {action.error && <Failure error={action.error} />}
        <Field label={t('import.file')} hint={t('import.fileHint')}>
          {(props) => (
            <input
              class="input"
              type="file"
              accept=".csv,.txt,text/csv"
              {...props}
              onChange={(event) => {
                setFile(event.currentTarget.files?.[0]);
                setTrial(undefined);
                setResult(undefined);
              }}
            />
          )}
        </Field>
        <Check
          label={t('import.update')}
          checked={update}
          onChecked={(on) => {
            setUpdate(on);
            setTrial(undefined);
          }}
        />
        {shown !== undefined && <Report report={shown} isTrial={result === undefined} />}
        <div class="actions end">
          <Button onClick={onClose}>{result === undefined ? t('cancel') : t('close')}</Button>
          {result === undefined &&
            (trial === undefined ? (
              <Button kind="main" busy={action.busy} disabled={file === undefined} onClick={() => void send(true)}>
                {t('import.check')}
              </Button>
            ) : (
              <Button
                kind="main"
                busy={action.busy}
                disabled={trial.created + trial.updated === 0}
                onClick={() => void send(false)}
              >
                {t('import.go', { count: number(trial.created + trial.updated) })}
              </Button>
            ))}
        </div>
      </div>
    </Dialog>
  );
}

function Report({ report, isTrial }: { report: ImportReport; isTrial: boolean }) {
  return (
    <div class="stack">
      {isTrial && <Notice>{t('import.trial')}</Notice>}
      <div class="actions">
        <Mark kind="good">{t('import.created', { count: number(report.created) })}</Mark>
        <Mark kind="accent">{t('import.updated', { count: number(report.updated) })}</Mark>
        <Mark>{t('import.unchanged', { count: number(report.unchanged) })}</Mark>
        <Mark kind={report.refused > 0 ? 'bad' : 'good'}>{t('import.refused', { count: number(report.refused) })}</Mark>
        <span class="soft small-text">{report.encoding}</span>
      </div>
      {report.refusals.length > 0 && (
        <section
          class="table-wrap sheet refusals"
          // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keyboard
          tabIndex={0}
          aria-label={t('import.refused', { count: report.refused })}
        >
          <table>
            <thead>
              <tr>
                <th class="number">{t('import.row')}</th>
                <th>{t('users.name')}</th>
                <th>{t('import.why')}</th>
              </tr>
            </thead>
            <tbody>
              {report.refusals.map((refusal) => (
                <tr key={refusal.row}>
                  <td class="number">{refusal.row}</td>
                  <td>
                    <Said text={refusal.name} />
                  </td>
                  <td>
                    {refusal.detail === '' && has(`problem.${refusal.code}`) ? (
                      t(`problem.${refusal.code}` as 'problem.NAME_TAKEN')
                    ) : (
                      <Said text={refusal.detail} whole />
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </div>
  );
}

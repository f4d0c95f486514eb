import { FINDINGS, type FindingKind, type FsckReport } from '../../servers/db-proxy/storage/fsck.js';
import { count } from '../backup/progress.js';

/** A report for people. Ends without a line break. */
export function reportText(report: FsckReport): string {
  const { conversations, messages, opened, destroyed, digests } = report;
  const seen = [
    `${count(conversations)} conversations, ${count(messages)} messages`,
    ...(opened > 0 ? [`${count(opened)} opened`] : []),
    ...(destroyed > 0 ? [`${count(destroyed)} under data keys that were destroyed`] : []),
  ].join(', ');
  const lines = (digests ?? []).map(
    (each) =>
      `bucket ${String(each.bucket).padStart(3)}  ${each.shard}  messages ${each.messageDigest} (${count(each.messages)})  state ${each.stateDigest}`,
  );
  if (report.whole) return [...lines, `whole: ${seen}`].join('\n');
  for (const [kind, number] of Object.entries(report.counts) as [FindingKind, number][]) {
    lines.push('', `${kind}: ${FINDINGS[kind]} (${count(number)})`);
    const shown = report.findings.filter((finding) => finding.kind === kind);
    lines.push(...shown.map(({ where, what }) => `  ${where}: ${what}`));
    if (number > shown.length) lines.push(`  … and ${count(number - shown.length)} more`);
  }
  return [...lines, '', `NOT WHOLE: ${Object.keys(report.counts).join(', ')}; ${seen}`].join('\n');
}

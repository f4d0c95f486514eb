import { SettingsError } from '../../../common/settings.js';
import type { FileSettings } from '../settings.js';
import type { Driver } from './driver.js';
import { FolderDriver } from './folder.js';
import { S3Driver } from './s3.js';

export type DriverSettings = Pick<
  FileSettings,
  'storage' | 'folder' | 'freeMin' | 's3Url' | 's3Prefix' | 's3Region' | 's3AccessKey' | 's3SecretKey' | 's3TimeoutMs'
>;

/** The storage that the settings name. @throws SettingsError */
export function openDriver(settings: DriverSettings): Driver {
  if (settings.storage === 'folder') return new FolderDriver(settings.folder, settings.freeMin);
  const { s3Url, s3Prefix, s3Region, s3AccessKey, s3SecretKey, s3TimeoutMs } = settings;
  if (!URL.canParse(s3Url) || s3AccessKey === '' || s3SecretKey === '')
    throw new SettingsError('storage s3 needs s3Url (https://host/bucket), s3AccessKey and s3SecretKey');
  return new S3Driver({
    url: s3Url,
    prefix: s3Prefix,
    region: s3Region,
    accessKeyId: s3AccessKey,
    secretAccessKey: s3SecretKey,
    timeoutMs: s3TimeoutMs,
  });
}

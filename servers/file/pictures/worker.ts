import sharp from 'sharp';

/**
 * Makes a small picture of a large one, in a thread of its own: what a stranger has uploaded is decoded here and nowhere
 * else. Only the formats that clients send; no SVG, no PDF, nothing that reads other files.
 */
export interface Task {
  readonly bytes: Uint8Array;
  readonly width: number;
  readonly height: number;
  /** A picture with more pixels is refused before it is decoded. */
  readonly pixelsMax: number;
  readonly secondsMax: number;
}

sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: [
    'VipsForeignLoadJpegBuffer',
    'VipsForeignLoadPngBuffer',
    'VipsForeignLoadWebpBuffer',
    'VipsForeignLoadNsgifBuffer',
  ],
});
sharp.cache(false);
sharp.concurrency(1);

/** JPEG, turned as its EXIF says and without any metadata: where a picture was taken is nobody's business. */
export default async function thumbnail({ bytes, width, height, pixelsMax, secondsMax }: Task): Promise<Uint8Array> {
  return sharp(bytes, { limitInputPixels: pixelsMax, failOn: 'error', pages: 1 })
    .timeout({ seconds: secondsMax })
    .rotate()
    .resize({ width, height, fit: 'inside', withoutEnlargement: true })
    .flatten({ background: '#ffffff' })
    .jpeg({ quality: 82 })
    .toBuffer();
}

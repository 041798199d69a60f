/** What lies in each column of pixels: how far it reaches, and where its middle is. */
export interface PixelColumns {
  /** Milliseconds in the middle of each column. */
  time: number[];
  minimum: number[];
  maximum: number[];
  mean: number[];
}

interface Values {
  time: Float64Array;
  value: Float64Array;
  /** The same as `value` for samples. */
  minimum: Float64Array;
  maximum: Float64Array;
}

/**
 * Gather the values of `[from, to)` by columns of `columnMs`.
 *
 * Columns are counted from the beginning of time, not from the window's edge: a picture that moves keeps its shape.
 */
export function pixelColumns(values: Values, from: number, to: number, columnMs: number): PixelColumns {
  const columns: PixelColumns = { time: [], minimum: [], maximum: [], mean: [] };
  let index = from;
  while (index < to) {
    const column = Math.floor((values.time[index] as number) / columnMs);
    const next = (column + 1) * columnMs;
    let [low, high, sum, count] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0];
    while (index < to && (values.time[index] as number) < next) {
      low = Math.min(low, values.minimum[index] as number);
      high = Math.max(high, values.maximum[index] as number);
      sum += values.value[index] as number;
      count += 1;
      index += 1;
    }
    if (count === 0) {
      // A time so fine that a column ends where it begins: take the one value by itself.
      low = values.minimum[index] as number;
      high = values.maximum[index] as number;
      sum = values.value[index] as number;
      count = 1;
      index += 1;
    }
    columns.time.push((column + 0.5) * columnMs);
    columns.minimum.push(low);
    columns.maximum.push(high);
    columns.mean.push(sum / count);
  }
  return columns;
}

/** Values that come from the API, until they are there; and lists of records: errors, inspected rows, dead letters. */
import type { ComponentChildren } from "preact";
import type { Live } from "../models/live.ts";
import { Failed, Loading } from "./basics.tsx";

interface LoadedProps<T> {
  of: Live<T>;
  children: (value: T) => ComponentChildren;
}

/** What is made of a value once there is one; before that it is being loaded, or could not be. */
export function Loaded<T>({ of, children }: LoadedProps<T>) {
  const value = of.data.value;
  const error = of.error.value;
  if (value !== undefined) return <>{children(value)}</>;
  return error ? <Failed error={error} retry={() => void of.refresh()} /> : <Loading rows={3} />;
}

interface RecordsProps<T> {
  of: Live<readonly T[]>;
  /** Those on this page, where there are pages. */
  shown?: readonly T[];
  /** In place of a list without rows. */
  empty: ComponentChildren;
  rowKey: (row: T, at: number) => string;
  /** What stands in a row. */
  children: (row: T) => ComponentChildren;
}

export function Records<T>({ of, shown, empty, rowKey, children }: RecordsProps<T>) {
  return (
    <Loaded of={of}>
      {(all) =>
        all.length === 0 ? (
          empty
        ) : (
          <ol class="records">
            {(shown ?? all).map((row, at) => (
              <li key={rowKey(row, at)}>{children(row)}</li>
            ))}
          </ol>
        )
      }
    </Loaded>
  );
}

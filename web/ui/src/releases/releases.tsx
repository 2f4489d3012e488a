import type { Releases as List } from "../api";
import { Empty } from "../part/command";
import { Listed, useList } from "../part/listed";
import { Shown } from "../part/table";
import { ReleaseTable } from "./table";
import { Timeline } from "./timeline";

export function Releases() {
  const answer = useList<List>("releases");
  return (
    <Shown answer={answer}>
      {(list) =>
        list.all === 0 ? (
          <Empty text="Nothing has been released yet. A release shifts traffic to a new version, judges it by its own requests, and takes it out again if it is worse." command="weft release start APPLICATION VERSION --wait" />
        ) : (
          <Listed what="release" where="its name" all={list.all} total={list.total} shown={list.releases.length}>
            <Timeline releases={list.releases} />
            <ReleaseTable releases={list.releases} label="Releases, those under way first, then the newest" />
          </Listed>
        )
      }
    </Shown>
  );
}

package org.calm4j.calm.world;

import com.ibm.icu.util.Region;
import com.ibm.icu.util.Region.RegionType;
import com.ibm.icu.util.ULocale;

/** What a fact says about a territory. */
public enum Relation {
    /** The UN sub-region (CLDR territory containment), such as 155, Western Europe. */
    REGION("region") {
        @Override
        String valueOf(Region territory) {
            Region region = territory.getContainingRegion(RegionType.SUBCONTINENT);
            return region == null ? null : region.toString();
        }
    },
    /** The main language, CLDR's likely subtag for the territory, such as fr. */
    LANGUAGE("language") {
        @Override
        String valueOf(Region territory) {
            String language =
                    ULocale.addLikelySubtags(new ULocale("und_" + territory)).getLanguage();
            return language.equals("nb") ? "no" : language; // people say Norwegian, not Norwegian Bokmål
        }
    };

    private final String id;

    Relation(String id) {
        this.id = id;
    }

    /** The name in ids and files. */
    public String id() {
        return id;
    }

    /** CLDR code of the value; null where CLDR has none. */
    abstract String valueOf(Region territory);
}
